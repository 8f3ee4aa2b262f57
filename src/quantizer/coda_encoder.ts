import { area, argmax } from "../ops/mod.ts";
import { noGrad, type Tensor } from "../tensor/mod.ts";
import { logits } from "./composed.ts";
import type { CodaQuantizerConfig } from "./config.ts";
import { gridsFor } from "./grids.ts";
import { canStream, pathFor } from "./path.ts";
import { checkLatent, type EncodedScale, type LatentEncoder } from "./quantizer.ts";
import { search, searchWithMargins } from "./streaming/search.ts";

/** The parts of a quantizer that codes are found with. */
export interface CodaEncoderParts {
  /** The quantizer's shape. */
  readonly config: CodaQuantizerConfig;
  /** K, [V, d], unknown to any scope; the encoder's own from now on. */
  readonly keys: Tensor;
  /** Q / √d of a grid's tokens, [..., c] → [..., d]. */
  readonly queriesOf: (r: Tensor) => Tensor;
  /** What a scale's codes, u32 [B, h, w], leave of the residual [B, H, W, c], which keeps its shape. */
  readonly leftOver: (residual: Tensor, index: Tensor) => Tensor;
}

/**
 * Encodes latents with a quantizer whose parameters stay as they are: it holds the keys of all codes,
 * which depend on nothing else. {@link CodaQuantizer.encoder} makes one.
 *
 * @example
 * ```ts
 * import { CodaQuantizer, Gpu } from "@coda/tokenizer";
 * import { normal, Random } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const shape = { codebookSize: 32, channels: 4, attentionDim: 8, patchSizes: [1, 2, 4] };
 * using quantizer = new CodaQuantizer(gpu, { ...shape, norm: "rms", beta: 0.25 });
 * quantizer.parameters.initialize(new Random(1));
 * using encoder = quantizer.encoder();
 * const scales = encoder.encode(normal(gpu, [1, 4, 4, 4], new Random(2)));
 * console.log(scales.map(({ size }) => size)); // 1, 4, 16
 * ```
 */
export class CodaEncoder implements LatentEncoder {
  #parts: CodaEncoderParts;

  /** Takes over the keys. */
  constructor(parts: CodaEncoderParts) {
    this.#parts = parts;
  }

  /** The codes of a scaled latent [B, H, W, c]: for each scale u32 [B, h, w], without gradients. */
  encode(f: Tensor): Tensor[] {
    const find = pathFor("encode", this.#parts.config) === "streamed"
      ? (query: Tensor, keys: Tensor) => search(query, keys).index
      : (query: Tensor, keys: Tensor) => argmax(logits(query, keys));
    return this.#walk(f, (query, keys) => ({ index: find(query, keys) }))
      .map(({ index }) => index);
  }

  /**
   * The same codes with their margins: how far the second largest logit lies below the largest, so how
   * much rounding a code can bear.
   *
   * @throws {RangeError} where d is no multiple of 4, or above 32.
   */
  encodeWithMargins(f: Tensor, given: readonly Tensor[] = []): EncodedScale[] {
    const { attentionDim } = this.#parts.config;
    if (!canStream(attentionDim)) {
      throw new RangeError(
        `encodeWithMargins: attentionDim is ${attentionDim}, expected a multiple of 4 up to 32`,
      );
    }
    return this.#walk(f, (query, keys, scale) => {
      const { largest: _, ...found } = searchWithMargins(query, keys, given[scale]);
      return found;
    });
  }

  /** Frees the keys; the quantizer stays. */
  [Symbol.dispose](): void {
    this.#parts.keys.dispose();
  }

  /** Walks the scales of a latent; keeps all that `find` found at each. */
  #walk<Found extends Partial<EncodedScale> & { index: Tensor }>(
    f: Tensor,
    find: (query: Tensor, keys: Tensor, scale: number) => Found,
  ): Found[] {
    const { config, keys, queriesOf, leftOver } = this.#parts;
    checkLatent(f, config);
    using scope = f.gpu.scope();
    const [, height, width] = f.shape;
    const grids = gridsFor(config.patchSizes, height, width);
    let residual = f;
    return noGrad(() =>
      grids.map((grid, scale) => {
        using step = f.gpu.scope();
        const found = find(queriesOf(area(residual, grid)), keys, scale);
        for (const tensor of Object.values(found)) scope.keep(step.keep(tensor));
        if (scale === grids.length - 1) return found; // nobody asks for what is left over at last
        residual = step.keep(leftOver(residual, found.index));
        return found;
      })
    );
  }
}
