import {
  record,
  sameShape,
  type Shape,
  ShapeError,
  shapeText,
  type Tensor,
} from "../tensor/mod.ts";
import { broadcastShape, broadcastStrides } from "./broadcast.ts";
import { sumTo } from "./reduce.ts";
import { readStrided } from "./strided.ts";

/**
 * x repeated to a larger shape by NumPy's rule: aligned at the last axis, axes that are missing or of
 * length 1 are repeated.
 *
 * @throws {ShapeError} where x does not broadcast to the shape.
 *
 * @example
 * ```ts
 * import { broadcastTo, fromArray, Gpu } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * console.log(await broadcastTo(fromArray(gpu, [1, 2], [2]), [2, 2]).read()); // 1, 2, 1, 2
 * ```
 */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  if (!sameShape(broadcastShape("broadcastTo", x.shape, shape), shape)) {
    throw new ShapeError(
      "broadcastTo",
      `${shapeText(x.shape)} is larger than ${shapeText(shape)} along an axis`,
    );
  }
  return record("broadcastTo", {
    inputs: [x],
    output: readStrided("broadcastTo", x, shape, broadcastStrides(x.shape, shape)),
    backward: (dy) => [sumTo(dy, x.shape)],
  });
}
