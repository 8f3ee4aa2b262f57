import type { Gpu } from "../gpu/mod.ts";
import { normalWith, Parameters } from "../nn/mod.ts";
import { add, area, bicubic, gather, stopGradient, sub } from "../ops/mod.ts";
import { type Tensor, zeros } from "../tensor/mod.ts";
import { commitmentLoss } from "./commitment_loss.ts";
import type { MultiScaleQuantizerConfig } from "./config.ts";
import { type Grid, gridsFor } from "./grids.ts";
import { meanOf } from "./mean_of.ts";
import { NearestCodes } from "./nearest.ts";
import { type Phi, phisOf } from "./phi.ts";
import {
  checkLatent,
  checkScales,
  type EncodedScale,
  type Quantized,
  type Quantizer,
} from "./quantizer.ts";
import { straightThrough } from "./straight_through.ts";

/**
 * VAR's multi-scale vector quantizer (Tian et al. 2024; SPEC section 9): scale by scale, coarse to fine,
 * what the scales before left over is pooled to a grid, each position becomes the code nearest to it by
 * L2, and the codes are upsampled and mended by φ. Its loss is the mean over scales of the commitment
 * loss of all scales so far; the gradient passes to the latent as if it were copied.
 *
 * Parameters carry VAR's names: `embedding.weight` and `quant_resi.*`, where some scales share a φ as
 * `shareQuantResi` says; four φ in VAR.
 *
 * @example
 * ```ts
 * import { Gpu, MultiScaleQuantizer } from "@coda/tokenizer";
 * import { normal, Random } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const shape = { codebookSize: 32, channels: 4, patchSizes: [1, 2, 4], beta: 0.25 };
 * const phi = { quantResi: 0.5, shareQuantResi: 4 };
 * using quantizer = new MultiScaleQuantizer(gpu, { kind: "multiscale", ...shape, ...phi });
 * quantizer.parameters.initialize(new Random(1));
 * const scales = quantizer.encode(normal(gpu, [1, 4, 4, 4], new Random(2)));
 * console.log(scales.map(({ size }) => size)); // 1, 4, 16
 * ```
 */
export class MultiScaleQuantizer implements Quantizer {
  /** Its shape. */
  readonly config: MultiScaleQuantizerConfig;
  /** Its parameters by VAR's key. */
  readonly parameters: Parameters;
  #codebook: Tensor;
  #phis: readonly Phi[];

  /** Declares the parameters; they are undefined until loaded or initialised. */
  constructor(gpu: Gpu, config: MultiScaleQuantizerConfig) {
    const { codebookSize, channels } = config;
    this.config = config;
    this.parameters = new Parameters(gpu);
    this.#phis = phisOf(this.parameters, config);
    this.#codebook = this.parameters.declare("embedding.weight", [codebookSize, channels], {
      initialize: normalWith(1),
    });
  }

  /** The grids of a latent of this size. */
  gridsFor(height: number, width: number): Grid[] {
    return gridsFor(this.config.patchSizes, height, width);
  }

  /** Quantizes a scaled latent [B, H, W, c] for training. */
  forward(f: Tensor): Quantized {
    checkLatent(f, this.config);
    using scope = f.gpu.scope();
    const [, height, width] = f.shape;
    const codes = new NearestCodes(this.#codebook);
    const indices: Tensor[] = [];
    const losses: Tensor[] = [];
    let residual = stopGradient(f);
    let fHat: Tensor | undefined;
    this.gridsFor(height, width).forEach((grid, scale) => {
      const index = codes.find(area(residual, grid));
      const h = this.#upsampled(index, scale, { height, width });
      fHat = fHat ? add(fHat, h) : h;
      residual = sub(residual, stopGradient(h));
      indices.push(index);
      losses.push(commitmentLoss(fHat, f, this.config.beta));
    });
    return {
      fHat: scope.keep(straightThrough(fHat!, f)),
      vqLoss: scope.keep(meanOf(losses)),
      indices: indices.map((index) => scope.keep(index)),
    };
  }

  /** The codes of a scaled latent [B, H, W, c]: for each scale u32 [B, h, w], without gradients. */
  encode(f: Tensor): Tensor[] {
    return this.#encode(f, (codes, r) => ({ index: codes.find(r) })).map(({ index }) => index);
  }

  /**
   * The same codes with their margins: by how much the second nearest code's half squared distance
   * exceeds the nearest's.
   *
   * @throws {RangeError} where the latent has more than 31 channels.
   */
  encodeWithMargins(f: Tensor, given: readonly Tensor[] = []): EncodedScale[] {
    return this.#encode(f, (codes, r, scale) => codes.findWithMargins(r, given[scale]));
  }

  /**
   * The latent of codes: the sum over scales of φ(bicubic(e[i])), [B, H, W, c]. Fewer indices than there
   * are scales give a valid, coarser latent.
   *
   * @throws {RangeError} where there are more of them than scales.
   */
  decode(indices: readonly Tensor[], size: Grid): Tensor {
    checkScales(indices, this.config);
    const { gpu } = this.parameters;
    using scope = gpu.scope();
    const images = indices[0]?.shape[0] ?? 1;
    let fHat = zeros(gpu, [images, size.height, size.width, this.config.channels]);
    indices.forEach((index, scale) => fHat = add(fHat, this.#upsampled(index, scale, size)));
    return scope.keep(fHat);
  }

  /** The codes, [V, c], without gradients. */
  keys(): Tensor {
    return stopGradient(this.#codebook);
  }

  /** Frees the parameters. */
  [Symbol.dispose](): void {
    this.parameters[Symbol.dispose]();
  }

  #upsampled(index: Tensor, scale: number, size: Grid): Tensor {
    return this.#phis[scale].forward(bicubic(gather(this.#codebook, index), { ...size }));
  }

  /** Walks the scales of a latent; keeps all that `find` found at each. */
  #encode<Found extends Partial<EncodedScale> & { index: Tensor }>(
    f: Tensor,
    find: (codes: NearestCodes, r: Tensor, scale: number) => Found,
  ): Found[] {
    checkLatent(f, this.config);
    using scope = f.gpu.scope();
    const [, height, width] = f.shape;
    const codes = new NearestCodes(this.#codebook);
    let residual = stopGradient(f);
    return this.gridsFor(height, width).map((grid, scale) => {
      using step = f.gpu.scope();
      const found = find(codes, area(residual, grid), scale);
      const h = stopGradient(this.#upsampled(found.index, scale, { height, width }));
      for (const tensor of Object.values(found)) scope.keep(step.keep(tensor));
      residual = step.keep(sub(residual, h));
      return found;
    });
  }
}
