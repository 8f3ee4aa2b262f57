import { constant } from "../../nn/mod.ts";
import { add, affine, batchNorm, type BatchStatistics } from "../../ops/mod.ts";
import { noGrad, shapeText, type Tensor } from "../../tensor/mod.ts";
import type { HeadParameters } from "./head_parameters.ts";

/** What the discriminator's batch norms add to the variance. */
const EPS = 1e-6;
/** How much of the running statistics a forward in training replaces: PyTorch's default. */
const MOMENTUM = 0.1;

/** Batch normalisation over all axes but the last, with running statistics: PyTorch's `nn.BatchNorm1d`. */
export class BatchNorm {
  readonly #weight: Tensor;
  readonly #bias: Tensor;
  readonly #running: BatchStatistics;

  /** Declares `weight` and `bias`, which are trained, and the buffers `running_mean` and `running_var`. */
  constructor({ trained, buffers }: HeadParameters, channels: number) {
    this.#weight = trained.declare("weight", [channels], { initialize: constant(1) });
    this.#bias = trained.declare("bias", [channels], { initialize: constant(0) });
    this.#running = {
      mean: buffers.declare("running_mean", [channels], { initialize: constant(0) }),
      variance: buffers.declare("running_var", [channels], { initialize: constant(1) }),
    };
  }

  /**
   * By the batch's statistics in training, which the running ones follow; else by the running ones.
   *
   * @throws {RangeError} for a single value per channel in training, which has no variance.
   */
  forward(x: Tensor, training: boolean): Tensor {
    if (training && x.size === this.#weight.size) {
      const found = shapeText(x.shape);
      throw new RangeError(`BatchNorm: ${found} has one value per channel, training needs more`);
    }
    using scope = x.gpu.scope();
    const statistics = training ? undefined : this.#running;
    const result = batchNorm(x, this.#weight, this.#bias, { eps: EPS, statistics });
    if (training) this.#follow(result.statistics, x.size / this.#weight.size);
    return scope.keep(result.output);
  }

  /** The running variance is the unbiased one, of `count` values per channel. */
  #follow({ mean, variance }: BatchStatistics, count: number): void {
    noGrad(() => {
      moveTowards(this.#running.mean, mean, MOMENTUM);
      moveTowards(this.#running.variance, variance, MOMENTUM, count / (count - 1));
    });
  }
}

/** `running ← (1 − rate) · running + rate · scale · value`, in place. */
function moveTowards(running: Tensor, value: Tensor, rate: number, scale: number = 1): void {
  const moved = add(affine(running, 1 - rate, 0), affine(value, rate * scale, 0));
  running.gpu.copy(moved.storage, running.storage);
}
