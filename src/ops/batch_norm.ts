import { record, type Tensor } from "../tensor/mod.ts";
import {
  groupApply,
  groupGradients,
  type GroupLayout,
  groupStatistics,
} from "./group_statistics.ts";
import { checkEps, checkNormInput, checkPerChannel } from "./norm_check.ts";

/** Mean and biased variance per channel, `[C]` each. */
export interface BatchStatistics {
  /** The mean over all axes but the last. */
  mean: Tensor;
  /** The mean squared deviation from it. */
  variance: Tensor;
}

/** Options of {@link batchNorm}. */
export interface BatchNormOptions {
  /** Added to the variance; default 1e-5. */
  eps?: number;
  /** Normalises by these, as constants, instead of by the batch's own statistics. */
  statistics?: BatchStatistics;
}

/** What {@link batchNorm} returns. */
export interface BatchNormResult {
  /** The normalised input, of its shape. */
  output: Tensor;
  /** The statistics it was normalised by; no gradient flows through these two. */
  statistics: BatchStatistics;
}

/**
 * Batch normalisation (Ioffe & Szegedy 2015): each channel (last axis) of `x` `[…, C]` is brought to mean
 * 0 and variance 1 over all other axes, then scaled by `gamma` `[C]` and shifted by `beta` `[C]`.
 *
 * Without `statistics` it normalises by the batch's own mean and biased variance, and gradients flow
 * through them: training. It returns them, so that running statistics can follow; PyTorch's running
 * variance is the unbiased one, `variance · n / (n − 1)` with n the values per channel. With
 * `statistics` (the running ones) it normalises by those: inference.
 *
 * @throws {ShapeError} where `x` has no axis, or gamma, beta, mean or variance is not `[C]`.
 * @throws {RangeError} where `eps` is negative.
 *
 * @example
 * ```ts
 * import { batchNorm, fromArray, full, Gpu } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [1, 10, 3, 30], [2, 2]);
 * const { output, statistics } = batchNorm(x, full(gpu, [2], 1), full(gpu, [2], 0));
 * console.log(await output.read()); // about -1, -1, 1, 1
 * console.log(await statistics.mean.read()); // 2, 20
 * ```
 */
export function batchNorm(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  { eps = 1e-5, statistics: given }: BatchNormOptions = {},
): BatchNormResult {
  checkNormInput("batchNorm", x, 1);
  checkPerChannel("batchNorm", "gamma", gamma, x);
  checkPerChannel("batchNorm", "beta", beta, x);
  if (given) {
    checkPerChannel("batchNorm", "mean", given.mean, x);
    checkPerChannel("batchNorm", "variance", given.variance, x);
  }
  checkEps("batchNorm", eps);
  const channels = x.shape[x.rank - 1];
  // One image in which each channel is a group.
  const layout: GroupLayout = { images: 1, pixels: x.size / channels, channels, groups: channels };
  const settings = { layout, eps, silu: false, fixed: given !== undefined };
  const statistics = given ?? groupStatistics(x, layout, [channels]);
  const output = record("batchNorm", {
    inputs: [x, gamma, beta],
    output: groupApply(x, gamma, beta, statistics, settings),
    saved: [x, gamma, beta, statistics.mean, statistics.variance],
    backward: (dy, saved, needs) => groupGradients(dy, saved, needs, settings),
  });
  return { output, statistics };
}
