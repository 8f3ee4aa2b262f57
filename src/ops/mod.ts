/**
 * The operations: each file holds one, with its check, its forward and its gradient.
 *
 * @module
 */
export { add, div, maximum, minimum, mul, sub } from "./binary.ts";
export { broadcastTo } from "./broadcast_to.ts";
export { concat, stack } from "./concat.ts";
export { groupNorm, type GroupNormOptions } from "./group_norm.ts";
export { pad, type Padding, type PadOptions } from "./pad.ts";
export { permute } from "./permute.ts";
export { max, mean, type ReduceOptions, sum } from "./reduce.ts";
export { area, bicubic, type ImageSize, nearest } from "./resample.ts";
export { reshape } from "./reshape.ts";
export { slice } from "./slice.ts";
export { stopGradient } from "./stop_gradient.ts";
export {
  abs,
  affine,
  clamp,
  type ClampOptions,
  exp,
  gelu,
  leakyRelu,
  log,
  neg,
  relu,
  rsqrt,
  sigmoid,
  silu,
  softplus,
  sqrt,
  square,
  tanh,
} from "./unary.ts";
