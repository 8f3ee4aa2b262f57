import type { Tensor } from "../tensor/mod.ts";
import { rowNorm } from "./row_norm.ts";

/**
 * RMS normalisation (Zhang & Sennrich 2019) over the last axis: each row of `x` `[…, C]` is divided by
 * `√(mean(x²) + eps)`, eps by default 1e-5, and scaled by `gamma` `[C]`. The quantizer normalises its queries and keys so.
 * The result has the shape of `x`.
 *
 * @throws {ShapeError} where `x` has no axis, or gamma is not `[C]`.
 * @throws {RangeError} where `eps` is negative.
 *
 * @example
 * ```ts
 * import { fromArray, full, Gpu, rmsNorm } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const y = rmsNorm(fromArray(gpu, [3, -3], [1, 2]), full(gpu, [2], 1));
 * console.log(await y.read()); // about 1, -1
 * ```
 */
export function rmsNorm(
  x: Tensor,
  gamma: Tensor,
  { eps = 1e-5 }: { eps?: number } = {},
): Tensor {
  return rowNorm("rmsNorm", x, gamma, null, eps);
}
