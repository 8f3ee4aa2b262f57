import type { ShapeSource } from "../../vae/mod.ts";
import type { VitConfig } from "./vit.ts";

/** How wide an attention head of DINO's transformers is. */
const HEAD_WIDTH = 64;

/**
 * What a DINO checkpoint says of its transformer's shape; readouts lie at the quarters of its depth, as in
 * {@link DINO_SMALL_16}.
 *
 * @throws {TypeError} where it is no vision transformer, or one of another kind.
 *
 * @example
 * ```ts
 * import { DinoVit, Gpu, inferVitConfig, openTensors } from "@coda/tokenizer";
 *
 * async function load(gpu: Gpu): Promise<DinoVit> {
 *   using file = await openTensors("dino_deitsmall16_pretrain.pth");
 *   return await DinoVit.load(gpu, file, inferVitConfig(file));
 * }
 * ```
 */
export function inferVitConfig(weights: ShapeSource): VitConfig {
  const shape = (name: string) => {
    if (weights.has(name)) return weights.info(name).shape;
    throw new TypeError(
      `tensor ${name} is missing: the file is no vision transformer of DINO's`,
    );
  };
  let depth = 0;
  while (weights.has(`blocks.${depth}.norm1.weight`)) depth++;
  const [width, , patchSize] = shape("patch_embed.proj.weight");
  const side = Math.sqrt(shape("pos_embed")[1] - 1);
  if (depth === 0 || width % HEAD_WIDTH !== 0 || !Number.isInteger(side)) {
    throw new TypeError(
      `has ${depth} blocks of width ${width} on ${side}² patches: ` +
        `expected blocks, a width that is a multiple of ${HEAD_WIDTH}, and a square of patches`,
    );
  }
  const quarters = [1, 2, 3, 4].map((quarter) => Math.round((quarter * depth) / 4) - 1);
  return {
    imageSize: side * patchSize,
    patchSize,
    width,
    heads: width / HEAD_WIDTH,
    depth,
    readouts: [...new Set(quarters)].filter((block) => block >= 0),
  };
}
