import type { Gpu } from "../gpu/mod.ts";
import type { WeightSource } from "../nn/mod.ts";
import { CodaQuantizer } from "./coda_quantizer.ts";
import type { QuantizerConfig } from "./config.ts";
import { MultiScaleQuantizer } from "./multi_scale_quantizer.ts";
import { NearestQuantizer } from "./nearest_quantizer.ts";
import type { Quantizer } from "./quantizer.ts";

/**
 * The quantizer that a configuration describes; its parameters are undefined until loaded or
 * initialised.
 *
 * @example
 * ```ts
 * import { Gpu, makeQuantizer } from "@coda/tokenizer";
 *
 * using gpu = await Gpu.create();
 * const shape = { codebookSize: 8, channels: 4, patchSizes: [4], beta: 0.25 };
 * using quantizer = makeQuantizer(gpu, { kind: "nearest", ...shape });
 * console.assert(quantizer.parameters.size === 32);
 * ```
 */
export function makeQuantizer(gpu: Gpu, config: QuantizerConfig): Quantizer {
  switch (config.kind) {
    case "nearest":
      return new NearestQuantizer(gpu, config);
    case "multiscale":
      return new MultiScaleQuantizer(gpu, config);
    default:
      return new CodaQuantizer(gpu, config);
  }
}

/** Builds the quantizer that a configuration describes and reads its weights. */
export async function loadQuantizer(
  gpu: Gpu,
  config: QuantizerConfig,
  source: WeightSource,
): Promise<Quantizer> {
  const quantizer = makeQuantizer(gpu, config);
  try {
    await quantizer.parameters.load(source);
    return quantizer;
  } catch (error) {
    quantizer[Symbol.dispose]();
    throw error;
  }
}
