import { affine, clamp, div, sqrt, square, sum } from "../ops/mod.ts";
import type { Tensor } from "../tensor/mod.ts";

/** What is added to the length of a pixel's features, by which they are divided. */
const EPS = 1e-10;

/** Below this a squared length is 0 for {@link EPS}, and its root has no slope to speak of. */
const LEAST_SQUARE = 1e-30;

/** Every pixel's features [..., C] divided by their length over the channels, as LPIPS does. */
export function ofUnitLength(features: Tensor): Tensor {
  using scope = features.gpu.scope();
  const squares = sum(square(features), { axes: [-1], keepDims: true });
  const length = sqrt(clamp(squares, { min: LEAST_SQUARE }));
  return scope.keep(div(features, affine(length, 1, EPS)));
}
