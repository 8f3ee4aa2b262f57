import { record, type Tensor } from "../tensor/mod.ts";
import {
  groupApply,
  groupGradients,
  type GroupSettings,
  groupStatistics,
} from "./group_statistics.ts";
import { expectFloats } from "./check.ts";
import { checkAxes, checkEps, checkPerChannel } from "./norm_check.ts";

/** Options of {@link groupNorm}. */
export interface GroupNormOptions {
  /** How many groups the channels are split into; divides their number. */
  groups: number;
  /** Added to the variance; default 1e-6, as the VAEs have it. */
  eps?: number;
  /** Whether SiLU, `z · sigmoid(z)`, follows in the same pass. Default false. */
  silu?: boolean;
}

/**
 * Group normalisation (Wu & He 2018), optionally followed by SiLU: `x` of shape `[N, …, C]` is brought
 * to mean 0 and variance 1 over all positions and over the channels of each group, image by image,
 * then scaled by `gamma` `[C]` and shifted by `beta` `[C]`. The result has the shape of `x`, and is stored
 * in f16 where `x` is; what is computed is f32.
 *
 * @throws {ShapeError} where `x` has fewer than 2 axes, or gamma or beta is not `[C]`.
 * @throws {RangeError} where `groups` does not divide C, or `eps` is negative.
 *
 * @example
 * ```ts
 * import { full, Gpu, groupNorm, normal, Random } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = normal(gpu, [1, 8, 8, 32], new Random(0));
 * const y = groupNorm(x, full(gpu, [32], 1), full(gpu, [32], 0), { groups: 8, silu: true });
 * console.log(y.shape); // [1, 8, 8, 32]
 * ```
 */
export function groupNorm(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  options: GroupNormOptions,
): Tensor {
  const settings = groupSettings(x, gamma, beta, options);
  using scope = x.gpu.scope();
  const statistics = groupStatistics(x, settings.layout);
  const y = scope.keep(groupApply(x, gamma, beta, statistics, settings));
  return record("groupNorm", {
    inputs: [x, gamma, beta],
    output: y,
    saved: [x, gamma, beta, statistics.mean, statistics.variance],
    activations: [x],
    backward: (dy, saved, needs) => groupGradients(dy, saved, needs, { ...settings, fixed: false }),
  });
}

/** The settings that options mean for tensors, which are checked: see {@link groupNorm}. */
export function groupSettings(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  { groups, eps = 1e-6, silu = false }: GroupNormOptions,
): GroupSettings {
  expectFloats("groupNorm", { x });
  checkAxes("groupNorm", x, 2);
  checkPerChannel("groupNorm", "gamma", gamma, x);
  checkPerChannel("groupNorm", "beta", beta, x);
  checkEps("groupNorm", eps);
  const channels = x.shape[x.rank - 1];
  if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0) {
    throw new RangeError(`groupNorm: ${groups} groups do not divide ${channels} channels`);
  }
  const images = x.shape[0];
  const layout = { images, pixels: x.size / images / channels, channels, groups };
  return { layout, eps, silu };
}
