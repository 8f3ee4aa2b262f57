import { empty, normalizeAxis, record, ShapeError, shapeText, type Tensor } from "../tensor/mod.ts";
import { stridesOf } from "./broadcast.ts";
import { expectDType } from "./check.ts";
import { reshape } from "./reshape.ts";
import { slice } from "./slice.ts";
import { writeStrided } from "./strided.ts";

/**
 * Joins tensors along an axis; their other axes agree.
 *
 * @throws {ShapeError} where there is no tensor, or shapes or dtypes do not fit together.
 * @throws {RangeError} where the axis is out of range.
 *
 * @example
 * ```ts
 * import { concat, fromArray, Gpu } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const a = fromArray(gpu, [1, 2], [2, 1]);
 * const b = fromArray(gpu, [3, 4, 5, 6], [2, 2]);
 * console.log(await concat([a, b], 1).read()); // 1, 3, 4, 2, 5, 6
 * ```
 */
export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  if (tensors.length === 0) throw new ShapeError("concat", "no tensors to join");
  const [first] = tensors;
  const along = normalizeAxis("concat", axis, first.rank);
  tensors.forEach((tensor) => checkFits(first, tensor, along));
  const starts = tensors.map((_, i) =>
    tensors.slice(0, i).reduce((total, tensor) => total + tensor.shape[along], 0)
  );
  const length = starts.at(-1)! + tensors.at(-1)!.shape[along];
  const y = empty(first.gpu, first.shape.with(along, length), first.dtype);
  const strides = stridesOf(y.shape);
  tensors.forEach((tensor, i) =>
    writeStrided("concat", tensor, y, strides, starts[i] * strides[along])
  );
  const shapes = tensors.map((tensor) => tensor.shape);
  return record("concat", {
    inputs: tensors,
    output: y,
    backward: (dy, _saved, needs) =>
      shapes.map((shape, i) => {
        if (!needs[i]) return null;
        const start = shape.map((_, other) => (other === along ? starts[i] : 0));
        return slice(dy, start, shape.with(along, starts[i] + shape[along]));
      }),
  });
}

function checkFits(first: Tensor, tensor: Tensor, along: number): void {
  expectDType("concat", first.dtype, { tensor });
  const fits = tensor.rank === first.rank &&
    tensor.shape.every((length, axis) => axis === along || length === first.shape[axis]);
  if (!fits) {
    throw new ShapeError(
      "concat",
      `${shapeText(first.shape)} and ${shapeText(tensor.shape)} differ in more than axis ${along}`,
    );
  }
}

/**
 * Joins tensors of one shape along a new axis.
 *
 * @throws {ShapeError} where there is no tensor, or shapes or dtypes differ.
 * @throws {RangeError} where the axis is out of range.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, stack } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const rows = [fromArray(gpu, [1, 2], [2]), fromArray(gpu, [3, 4], [2])];
 * console.log(await stack(rows).read()); // 1, 2, 3, 4 of shape 2, 2
 * ```
 */
export function stack(tensors: readonly Tensor[], axis: number = 0): Tensor {
  if (tensors.length === 0) throw new ShapeError("stack", "no tensors to join");
  const along = normalizeAxis("stack", axis, tensors[0].rank + 1);
  using scope = tensors[0].gpu.scope();
  const parts = tensors.map((tensor) => reshape(tensor, tensor.shape.toSpliced(along, 0, 1)));
  return scope.keep(concat(parts, along));
}
