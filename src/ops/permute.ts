import { empty, normalizeAxis, record, ShapeError, shapeText, type Tensor } from "../tensor/mod.ts";
import { stridesOf } from "./broadcast.ts";
import { hasWholeQuads, readStrided, writeStrided } from "./strided.ts";

/**
 * The axes in another order: axis i of the result is axis `axes[i]` of x. Negative axes count from
 * the back.
 *
 * @throws {ShapeError} where `axes` does not name every axis once.
 * @throws {RangeError} where an axis is out of range.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, permute } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [1, 2, 3, 4, 5, 6], [2, 3]);
 * console.log(await permute(x, [1, 0]).read()); // 1, 4, 2, 5, 3, 6
 * ```
 */
export function permute(x: Tensor, axes: readonly number[]): Tensor {
  const from = axes.map((axis) => normalizeAxis("permute", axis, x.rank));
  if (from.length !== x.rank || new Set(from).size !== x.rank) {
    throw new ShapeError(
      "permute",
      `axes ${shapeText(axes)} for ${shapeText(x.shape)}: name each of its ${x.rank} axes once`,
    );
  }
  return record("permute", {
    inputs: [x],
    output: permuted(x, from),
    backward: (dy) => [permute(dy, from.map((_, axis) => from.indexOf(axis)))],
  });
}

/** Walks the side on which rows are whole quads, if there is one: the walk is what takes the time. */
function permuted(x: Tensor, from: readonly number[]): Tensor {
  const shape = from.map((axis) => x.shape[axis]);
  if (x.rank === 0 || hasWholeQuads({ shape }) || !hasWholeQuads(x)) {
    const strides = stridesOf(x.shape);
    return readStrided("permute", x, shape, from.map((axis) => strides[axis]));
  }
  const y = empty(x.gpu, shape, x.dtype);
  const strides = stridesOf(shape);
  writeStrided("permute", x, y, x.shape.map((_, axis) => strides[from.indexOf(axis)]), 0);
  return y;
}
