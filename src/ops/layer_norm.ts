import type { Tensor } from "../tensor/mod.ts";
import { rowNorm } from "./row_norm.ts";

/**
 * Layer normalisation (Ba et al. 2016) over the last axis: each row of `x` `[…, C]` is brought to mean 0
 * and variance 1, then scaled by `gamma` `[C]` and shifted by `beta` `[C]`. `eps`, by default
 * 1e-5, is added to the variance. The result has the shape of `x`.
 *
 * @throws {ShapeError} where `x` has no axis, or gamma or beta is not `[C]`.
 * @throws {RangeError} where `eps` is negative.
 *
 * @example
 * ```ts
 * import { fromArray, full, Gpu, layerNorm } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [1, 3, 5, 5], [2, 2]);
 * const y = layerNorm(x, full(gpu, [2], 1), full(gpu, [2], 0), { eps: 1e-5 });
 * console.log(await y.read()); // about -1, 1, 0, 0
 * ```
 */
export function layerNorm(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  { eps = 1e-5 }: { eps?: number } = {},
): Tensor {
  return rowNorm("layerNorm", x, gamma, beta, eps);
}
