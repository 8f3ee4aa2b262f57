import type { Gpu } from "../gpu/mod.ts";
import { type Initializer, normalWith, Parameters } from "../nn/mod.ts";
import { gather, stopGradient } from "../ops/mod.ts";
import { sameShape, ShapeError, shapeText, type Tensor, zeros } from "../tensor/mod.ts";
import { commitmentLoss } from "./commitment_loss.ts";
import type { NearestQuantizerConfig } from "./config.ts";
import { type Grid, gridsFor } from "./grids.ts";
import { NearestCodes } from "./nearest.ts";
import {
  checkLatent,
  checkScales,
  type EncodedScale,
  type Quantized,
  type Quantizer,
} from "./quantizer.ts";
import { straightThrough } from "./straight_through.ts";

/**
 * Direct vector quantization, as VQ-VAE and VQGAN do it (van den Oord et al. 2017, Esser et al. 2021;
 * SPEC section 9): each position of the latent becomes the code nearest to it by L2, and the gradient
 * passes to the latent as if it were copied. The codes move to their latents, and the latents, β times as
 * strongly, to their codes.
 *
 * Its parameter is `embedding.weight` [V, c].
 *
 * @example
 * ```ts
 * import { Gpu, NearestQuantizer } from "@coda/tokenizer";
 * import { fromArray } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const shape = { codebookSize: 2, channels: 1, patchSizes: [2], beta: 0.25 };
 * using quantizer = new NearestQuantizer(gpu, { kind: "nearest", ...shape });
 * quantizer.parameters.set("embedding.weight", new Float32Array([0, 1]));
 * const [codes] = quantizer.encode(fromArray(gpu, [0.4, 0.6, 9, -9], [1, 2, 2, 1]));
 * console.log(await codes.read()); // 0, 1, 1, 0
 * ```
 */
export class NearestQuantizer implements Quantizer {
  /** Its shape. */
  readonly config: NearestQuantizerConfig;
  /** Its parameters by key. */
  readonly parameters: Parameters;
  #codebook: Tensor;

  /**
   * Declares the parameters; they are undefined until loaded or initialised.
   *
   * @param options.codebook The codes' first values; N(0, 1), as PyTorch's `nn.Embedding` has them and
   * the scaled latents of a trained VAE nearly are. VQGAN's are uniform in ±1/V.
   * @throws {RangeError} where there is not one scale.
   */
  constructor(
    gpu: Gpu,
    config: NearestQuantizerConfig,
    { codebook = normalWith(1) }: { codebook?: Initializer } = {},
  ) {
    const { codebookSize, channels, patchSizes } = config;
    if (patchSizes.length !== 1) {
      throw new RangeError(`NearestQuantizer: ${patchSizes.length} patch sizes, expected one`);
    }
    this.config = config;
    this.parameters = new Parameters(gpu);
    this.#codebook = this.parameters.declare("embedding.weight", [codebookSize, channels], {
      initialize: codebook,
    });
  }

  /** The one grid of a latent of this size: its own. */
  gridsFor(height: number, width: number): Grid[] {
    return gridsFor(this.config.patchSizes, height, width);
  }

  /** Quantizes a scaled latent [B, H, W, c] for training. */
  forward(f: Tensor): Quantized {
    checkLatent(f, this.config);
    using scope = f.gpu.scope();
    const index = new NearestCodes(this.#codebook).find(f);
    const hard = gather(this.#codebook, index);
    return {
      fHat: scope.keep(straightThrough(hard, f)),
      vqLoss: scope.keep(commitmentLoss(hard, f, this.config.beta)),
      indices: [scope.keep(index)],
    };
  }

  /** The codes of a scaled latent [B, H, W, c]: one scale, u32 [B, H, W], without gradients. */
  encode(f: Tensor): Tensor[] {
    checkLatent(f, this.config);
    using scope = f.gpu.scope();
    return [scope.keep(new NearestCodes(this.#codebook).find(f))];
  }

  /**
   * The same codes with their margins: by how much the second nearest code's half squared distance
   * exceeds the nearest's.
   *
   * @throws {RangeError} where the latent has more than 31 channels.
   */
  encodeWithMargins(f: Tensor, given: readonly Tensor[] = []): EncodedScale[] {
    checkLatent(f, this.config);
    using scope = f.gpu.scope();
    const found = new NearestCodes(this.#codebook).findWithMargins(f, given[0]);
    for (const tensor of Object.values(found)) scope.keep(tensor);
    return [found];
  }

  /**
   * The latent of codes, [B, H, W, c]; zeros without them.
   *
   * @throws {ShapeError} where the codes are not those of a latent of this size.
   * @throws {RangeError} where there are codes of more than the one scale.
   */
  decode(indices: readonly Tensor[], { height, width }: Grid): Tensor {
    checkScales(indices, this.config);
    const { gpu } = this.parameters;
    const [index] = indices;
    if (!index) return zeros(gpu, [1, height, width, this.config.channels]);
    const [images] = index.shape;
    if (!sameShape(index.shape, [images, height, width])) {
      throw new ShapeError(
        "decode",
        `codes ${shapeText(index.shape)} for a latent of ${height}×${width}`,
      );
    }
    return gather(this.#codebook, index);
  }

  /** The codes, [V, c], without gradients. */
  keys(): Tensor {
    return stopGradient(this.#codebook);
  }

  /** Frees the parameters. */
  [Symbol.dispose](): void {
    this.parameters[Symbol.dispose]();
  }
}
