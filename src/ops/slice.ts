import { record, ShapeError, shapeText, type Tensor } from "../tensor/mod.ts";
import { stridesOf } from "./broadcast.ts";
import { pad } from "./pad.ts";
import { readStrided } from "./strided.ts";

/**
 * The block of x from `start` up to, not including, `end`: one number per axis. Negative numbers
 * count from the back; an axis that the arrays do not reach, or whose end is left out, is taken whole.
 *
 * @throws {ShapeError} where there are more numbers than axes.
 * @throws {RangeError} where a block lies outside of its axis or ends before it starts.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, slice } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [1, 2, 3, 4, 5, 6], [2, 3]);
 * console.log(await slice(x, [0, 1], [2, 3]).read()); // 2, 3, 5, 6
 * console.log(await slice(x, [-1]).read()); // 4, 5, 6
 * ```
 */
export function slice(x: Tensor, start: readonly number[], end: readonly number[] = []): Tensor {
  if (start.length > x.rank || end.length > x.rank) {
    throw new ShapeError(
      "slice",
      `start ${shapeText(start)}, end ${shapeText(end)} for ${shapeText(x.shape)}: ` +
        `at most ${x.rank} numbers fit`,
    );
  }
  const ranges = x.shape.map((length, axis) => range(axis, length, start[axis], end[axis]));
  const strides = stridesOf(x.shape);
  const base = ranges.reduce((offset, [from], axis) => offset + from * strides[axis], 0);
  return record("slice", {
    inputs: [x],
    output: readStrided("slice", x, ranges.map(([from, to]) => to - from), strides, base),
    backward: (dy) => [
      pad(dy, ranges.map(([from, to], axis) => [from, x.shape[axis] - to])),
    ],
  });
}

function range(axis: number, length: number, start = 0, end = length): [number, number] {
  const from = start < 0 ? start + length : start;
  const to = end < 0 ? end + length : end;
  if (!Number.isInteger(from) || !Number.isInteger(to) || from < 0 || from > to || to > length) {
    throw new RangeError(`slice: ${start} to ${end} on axis ${axis} of length ${length}`);
  }
  return [from, to];
}
