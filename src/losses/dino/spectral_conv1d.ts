import { constant, truncatedNormalWith } from "../../nn/mod.ts";
import { clamp, conv1d, div, matmul, permute, reshape, sqrt, square, sum } from "../../ops/mod.ts";
import { noGrad, type Random, type Shape, sizeOf, type Tensor } from "../../tensor/mod.ts";
import type { HeadParameters } from "./head_parameters.ts";

/** What a vector's norm is at least when it is divided by it. */
const EPS = 1e-12;

/**
 * A circular convolution of sequences whose weight is divided by its largest singular value (Miyato et
 * al. 2018), PyTorch's `spectral_norm(nn.Conv1d)`. The value is estimated as uᵀ W v, W being the weight as
 * [out, in · kernel]; each forward in training first takes one step of the power iteration, and no
 * gradient flows through u and v.
 */
export class SpectralConv1d {
  readonly #weight: Tensor;
  readonly #bias: Tensor;
  readonly #u: Tensor;
  readonly #v: Tensor;
  readonly #kernel: number;

  /** Declares `weight_orig` and `bias`, which are trained, and the buffers `weight_u` and `weight_v`. */
  constructor(
    { trained, buffers }: HeadParameters,
    input: number,
    output: number,
    kernel: number,
  ) {
    this.#kernel = kernel;
    this.#weight = trained.declare("weight_orig", [output, input, kernel], {
      initialize: truncatedNormalWith(0.02),
    });
    this.#bias = trained.declare("bias", [output], { initialize: constant(0) });
    this.#u = buffers.declare("weight_u", [output], { initialize: unitVector });
    this.#v = buffers.declare("weight_v", [input * kernel], { initialize: unitVector });
  }

  /** [B, L, in] → [B, L, out]. */
  forward(x: Tensor, training: boolean): Tensor {
    using scope = x.gpu.scope();
    const [output, input, kernel] = this.#weight.shape;
    const matrix = reshape(this.#weight, [output, input * kernel]);
    const { u, v } = training ? this.#iterate(matrix) : this.#vectors();
    const sigma = matmul(u, matmul(matrix, v), { transposeA: true });
    const weight = div(this.#weight, reshape(sigma, []));
    return scope.keep(conv1d(x, permute(weight, [2, 1, 0]), this.#bias, {
      padding: Math.floor(this.#kernel / 2),
      paddingMode: "circular",
    }));
  }

  /** The stored vectors as columns. */
  #vectors(): { u: Tensor; v: Tensor } {
    return { u: column(this.#u), v: column(this.#v) };
  }

  /**
   * One power iteration: v ← Wᵀu / ‖Wᵀu‖, u ← Wv / ‖Wv‖. The result is a copy of what is stored, since the
   * next forward overwrites that before this one's backward.
   */
  #iterate(matrix: Tensor): { u: Tensor; v: Tensor } {
    return noGrad(() => {
      const v = normalized(matmul(matrix, column(this.#u), { transposeA: true }));
      const u = normalized(matmul(matrix, v));
      v.gpu.copy(v.storage, this.#v.storage);
      u.gpu.copy(u.storage, this.#u.storage);
      return { u, v };
    });
  }
}

function column(x: Tensor): Tensor {
  return reshape(x, [x.size, 1]);
}

function normalized(x: Tensor): Tensor {
  return div(x, clamp(sqrt(sum(square(x))), { min: EPS }));
}

function unitVector(random: Random, shape: Shape): Float32Array {
  const values = Float32Array.from({ length: sizeOf(shape) }, () => random.normal());
  const norm = Math.sqrt(values.reduce((total, value) => total + value * value, 0));
  return values.map((value) => value / norm);
}
