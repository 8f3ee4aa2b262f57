import { add, affine, leakyRelu, reshape } from "../../ops/mod.ts";
import type { Tensor } from "../../tensor/mod.ts";
import { BatchNorm } from "./batch_norm.ts";
import type { HeadParameters } from "./head_parameters.ts";
import { SpectralConv1d } from "./spectral_conv1d.ts";

const SLOPE = 0.2;
/** Positions that the residual block's convolution covers. */
const KERNEL = 9;

/** A head of the discriminator: one readout's tokens to one logit each (SPEC section 5). */
export class DinoHead {
  readonly #entry: ConvBlock;
  readonly #residual: ConvBlock;
  readonly #logits: SpectralConv1d;

  /** Declares the parameters and buffers of all three stages. */
  constructor(parameters: HeadParameters, width: number) {
    this.#entry = new ConvBlock(parameters.at("0"), width, 1);
    this.#residual = new ConvBlock(parameters.at("1").at("fn"), width, KERNEL);
    this.#logits = new SpectralConv1d(parameters.at("2"), width, 1, 1);
  }

  /** Tokens [B, L, width] → logits [B, L]. */
  forward(tokens: Tensor, training: boolean): Tensor {
    using scope = tokens.gpu.scope();
    const x = this.#entry.forward(tokens, training);
    const sum = add(this.#residual.forward(x, training), x);
    const logits = this.#logits.forward(affine(sum, Math.SQRT1_2, 0), training);
    return scope.keep(reshape(logits, tokens.shape.slice(0, 2)));
  }
}

/** Convolution, batch normalisation, leaky ReLU. */
class ConvBlock {
  readonly #conv: SpectralConv1d;
  readonly #norm: BatchNorm;

  constructor(parameters: HeadParameters, width: number, kernel: number) {
    this.#conv = new SpectralConv1d(parameters.at("0"), width, width, kernel);
    this.#norm = new BatchNorm(parameters.at("1"), width);
  }

  forward(x: Tensor, training: boolean): Tensor {
    using scope = x.gpu.scope();
    const y = this.#norm.forward(this.#conv.forward(x, training), training);
    return scope.keep(leakyRelu(y, SLOPE));
  }
}
