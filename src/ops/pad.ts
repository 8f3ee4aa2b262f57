import { full, record, ShapeError, shapeText, type Tensor, zeros } from "../tensor/mod.ts";
import { stridesOf } from "./broadcast.ts";
import { expectDType } from "./check.ts";
import { concat } from "./concat.ts";
import { slice } from "./slice.ts";
import { writeStrided } from "./strided.ts";

/** How many elements {@link pad} adds to each axis: `[before, after]`. */
export type Padding = readonly (readonly [number, number])[];

/** What {@link pad} fills in. */
export interface PadOptions {
  /** "constant" (the default) fills with `value`; "circular" continues with the other end. */
  mode?: "constant" | "circular";
  /** The constant; 0 unless given. */
  value?: number;
}

/**
 * Surrounds x: `padding[i]` is what axis i gets before and after; axes that `padding` does not reach
 * get none.
 *
 * @throws {ShapeError} where there are more pairs than axes.
 * @throws {RangeError} where a padding is negative, or a circular one longer than its axis.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, pad } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [1, 2, 3], [3]);
 * console.log(await pad(x, [[1, 2]]).read()); // 0, 1, 2, 3, 0, 0
 * console.log(await pad(x, [[1, 2]], { mode: "circular" }).read()); // 3, 1, 2, 3, 1, 2
 * ```
 */
export function pad(
  x: Tensor,
  padding: Padding,
  { mode = "constant", value = 0 }: PadOptions = {},
): Tensor {
  check(x, padding);
  const isNone = padding.every(([before, after]) => before === 0 && after === 0);
  if (mode === "constant" || isNone) return padConstant(x, padding, value);
  using scope = x.gpu.scope();
  return scope.keep(padding.reduce((y, pair, axis) => padCircular(y, axis, pair), x));
}

function check(x: Tensor, padding: Padding): void {
  if (padding.length > x.rank) {
    throw new ShapeError("pad", `${padding.length} pairs for ${shapeText(x.shape)}`);
  }
  for (const [before, after] of padding) {
    if (!Number.isInteger(before) || !Number.isInteger(after) || before < 0 || after < 0) {
      throw new RangeError(
        `pad: ${before} before and ${after} after: give whole numbers from 0 up`,
      );
    }
  }
}

function padConstant(x: Tensor, padding: Padding, value: number): Tensor {
  const before = x.shape.map((_, axis) => padding[axis]?.[0] ?? 0);
  const shape = x.shape.map((length, axis) => before[axis] + length + (padding[axis]?.[1] ?? 0));
  if (value !== 0) expectDType("pad", "f32", { x });
  const y = value === 0 ? zeros(x.gpu, shape, x.dtype) : full(x.gpu, shape, value);
  const strides = stridesOf(shape);
  const base = before.reduce((offset, count, axis) => offset + count * strides[axis], 0);
  writeStrided("pad", x, y, strides, base);
  return record("pad", {
    inputs: [x],
    output: y,
    backward: (dy) => [slice(dy, before, before.map((from, axis) => from + x.shape[axis]))],
  });
}

function padCircular(x: Tensor, axis: number, [before, after]: readonly [number, number]): Tensor {
  const length = x.shape[axis];
  if (before > length || after > length) {
    throw new RangeError(
      `pad: ${before} before and ${after} after on axis ${axis}: circular padding is at most its length ${length}`,
    );
  }
  const part = (from: number, to: number) =>
    slice(x, x.shape.map((_, i) => (i === axis ? from : 0)), x.shape.with(axis, to));
  const parts: Tensor[] = [];
  if (before > 0) parts.push(part(length - before, length));
  parts.push(x);
  if (after > 0) parts.push(part(0, after));
  return parts.length === 1 ? x : concat(parts, axis);
}
