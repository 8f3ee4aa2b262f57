/**
 * Tensors on the GPU: shapes, making and reading them, random numbers, and autograd.
 *
 * @module
 */
export {
  addInto,
  type GradientOptions,
  gradients,
  noGrad,
  record,
  type Recorded,
  type RecordedParts,
  recordParts,
  withGrad,
  withHalfActivations,
} from "./autograd.ts";
export { convert } from "./convert.ts";
export { checkpoint, type CheckpointedWork } from "./checkpoint.ts";
export { ShapeError } from "./errors.ts";
export { constants, empty, fromArray, full, ownTensor, scalar, share, zeros } from "./make.ts";
export type { Backward, Cotangents, JointBackward, Node, Remake } from "./node.ts";
export { normal, philox, Random, truncatedNormal, uniform } from "./random.ts";
export { type ReplayedWork, Replays } from "./replays.ts";
export { checkShape, normalizeAxis, sameShape, type Shape, shapeText, sizeOf } from "./shape.ts";
export { bytesOf, type DType, type FloatType, Tensor } from "./tensor.ts";
