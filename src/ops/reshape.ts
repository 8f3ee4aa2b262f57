import {
  record,
  type Shape,
  ShapeError,
  shapeText,
  share,
  sizeOf,
  type Tensor,
} from "../tensor/mod.ts";

/**
 * The same elements in the same order under another shape; the bytes are shared. One length may be
 * -1 and is then found from the others.
 *
 * @throws {ShapeError} where the shape does not hold as many elements.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, reshape } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [1, 2, 3, 4, 5, 6], [2, 3]);
 * console.log(reshape(x, [3, -1]).shape); // 3, 2
 * ```
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const y = share(x, resolve(x, shape));
  x.gpu.track(y);
  return record("reshape", {
    inputs: [x],
    output: y,
    backward: (dy) => [reshape(dy, x.shape)],
  });
}

function resolve(x: Tensor, shape: Shape): number[] {
  const known = sizeOf(shape.filter((length) => length !== -1));
  const free = shape.filter((length) => length === -1).length;
  const found = shape.map((length) => (length === -1 ? x.size / known : length));
  const valid = free <= 1 && found.every((length) => Number.isInteger(length) && length >= 0);
  if (!valid || sizeOf(found) !== x.size) {
    throw new ShapeError(
      "reshape",
      `${shapeText(x.shape)} has ${x.size} elements, which do not fill ${shapeText(shape)}`,
    );
  }
  return found;
}
