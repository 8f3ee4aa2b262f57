import { defineKernel, gridFor } from "../gpu/mod.ts";
import {
  empty,
  normalizeAxis,
  ShapeError,
  shapeText,
  share,
  sizeOf,
  type Tensor,
} from "../tensor/mod.ts";
import { expectDType } from "./check.ts";

const kernel = defineKernel("argmax");

/**
 * The index, u32, of the largest element along an axis, which the result no longer has; the lowest
 * index where several are equal. No gradient flows through. Rows must not hold NaN.
 *
 * @throws {ShapeError} where x is not f32 or the axis has no elements.
 * @throws {RangeError} where the axis is out of range.
 *
 * @example
 * ```ts
 * import { argmax, fromArray, Gpu } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const logits = fromArray(gpu, [1, 9, 9, 7, 2, 3], [2, 3]);
 * console.log(await argmax(logits).read()); // 1, 0
 * ```
 */
export function argmax(x: Tensor, axis: number = -1): Tensor {
  expectDType("argmax", "f32", { x });
  const along = normalizeAxis("argmax", axis, x.rank);
  const length = x.shape[along];
  if (length === 0) {
    throw new ShapeError("argmax", `axis ${along} of ${shapeText(x.shape)} has no elements`);
  }
  const inner = sizeOf(x.shape.slice(along + 1));
  const outer = sizeOf(x.shape.slice(0, along));
  using scope = x.gpu.scope();
  const index = search(x, outer, length, inner);
  const result = share(index, x.shape.toSpliced(along, 1));
  x.gpu.track(result);
  return scope.keep(result);
}

function search(x: Tensor, outer: number, length: number, inner: number): Tensor {
  const chunk = Math.max(256, 4 * Math.ceil(Math.sqrt(length) / 4));
  const chunks = Math.ceil(length / chunk);
  const values = empty(x.gpu, [outer, chunks, inner]);
  const indices = empty(x.gpu, [outer, chunks, inner], "u32");
  const params = { items: values.size, length, inner, chunks, chunk };
  const alongRows = inner === 1 && length % 4 === 0;
  x.gpu.run(kernel, alongRows ? "rows" : "elements", {
    bind: {
      ...(alongRows ? { quads: x.storage } : { scalars: x.storage }),
      values: values.storage,
      indices: indices.storage,
    },
    params,
    grid: gridFor(values.size, 64),
  });
  if (chunks === 1) return indices;
  const merged = empty(x.gpu, [outer, inner], "u32");
  x.gpu.run(kernel, "merge", {
    bind: {
      chunk_values: values.storage,
      chunk_indices: indices.storage,
      indices: merged.storage,
    },
    params: { ...params, items: merged.size },
    grid: gridFor(merged.size, 64),
  });
  return merged;
}
