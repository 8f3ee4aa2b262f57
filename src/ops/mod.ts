/**
 * The operations: each file holds one, with its check, its forward and its gradient.
 *
 * @module
 */
export { argmax } from "./argmax.ts";
export { attention, type AttentionOptions } from "./attention.ts";
export {
  batchNorm,
  type BatchNormOptions,
  type BatchNormResult,
  type BatchStatistics,
} from "./batch_norm.ts";
export { add, div, maximum, minimum, mul, sub } from "./binary.ts";
export { broadcastTo } from "./broadcast_to.ts";
export { cast } from "./cast.ts";
export { concat, stack } from "./concat.ts";
export { conv1d, type Conv1dOptions, type Padding1d } from "./conv1d.ts";
export { conv2d, type Conv2dOptions, type Padding2d } from "./conv2d.ts";
export { cropOr } from "./crop_or.ts";
export { fusedConv2d, type FusedConv2dOptions, type FusedNorm } from "./fused_conv2d.ts";
export { gather } from "./gather.ts";
export { groupNorm, type GroupNormOptions } from "./group_norm.ts";
export { expectHalf } from "./half.ts";
export { layerNorm } from "./layer_norm.ts";
export { matmul, type MatmulOptions } from "./matmul.ts";
export { maxPool2d, type MaxPool2dOptions } from "./max_pool2d.ts";
export { pad, type Padding, type PadOptions } from "./pad.ts";
export { permute } from "./permute.ts";
export { max, mean, type ReduceOptions, sum } from "./reduce.ts";
export { area, bicubic, bilinear, type ImageSize, nearest } from "./resample.ts";
export { reshape } from "./reshape.ts";
export { rmsNorm } from "./rms_norm.ts";
export { scatterAdd } from "./scatter_add.ts";
export { slice } from "./slice.ts";
export { logSoftmax, softmax } from "./softmax.ts";
export { stopGradient } from "./stop_gradient.ts";
export type { Slot, Tile, Tiles } from "./tile.ts";
export { tune, type TuneOptions, type Tuning } from "./tuning/tune.ts";
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
