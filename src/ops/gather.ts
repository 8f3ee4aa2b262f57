import { defineKernel, gridFor } from "../gpu/mod.ts";
import { empty, record, ShapeError, shapeText, type Tensor } from "../tensor/mod.ts";
import { expectDType } from "./check.ts";
import { sumByRow } from "./scatter_add.ts";

const kernel = defineKernel("gather");

/**
 * Rows of a table: a table [V, C] and u32 indices [...] give [..., C]. An index of V or more reads the
 * last row. The gradient of the table is {@link scatterAdd}, the same bits every time.
 *
 * @throws {ShapeError} where the table is not a [V, C] of f32 with a row at least, or the indices are not u32.
 *
 * @example
 * ```ts
 * import { fromArray, gather, Gpu } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const codebook = fromArray(gpu, [10, 11, 20, 21, 30, 31], [3, 2]);
 * const indices = fromArray(gpu, new Uint32Array([2, 0]), [2]);
 * console.log(await gather(codebook, indices).read()); // 30, 31, 10, 11
 * ```
 */
export function gather(table: Tensor, indices: Tensor): Tensor {
  expectDType("gather", "f32", { table });
  expectDType("gather", "u32", { indices });
  if (table.rank !== 2 || table.shape[0] === 0) {
    throw new ShapeError(
      "gather",
      `table ${shapeText(table.shape)}, expected [V, C] with a row at least`,
    );
  }
  const [rows, channels] = table.shape;
  const y = empty(table.gpu, [...indices.shape, channels]);
  const inQuads = channels % 4 === 0;
  const items = inQuads ? y.size / 4 : y.size;
  table.gpu.run(kernel, inQuads ? "quads" : "scalars", {
    bind: inQuads
      ? { indices: indices.storage, from_quads: table.storage, to_quads: y.storage }
      : { indices: indices.storage, from_scalars: table.storage, to_scalars: y.storage },
    params: { items, rows, channels: inQuads ? channels / 4 : channels },
    grid: gridFor(items, 64),
  });
  return record("gather", {
    inputs: [table],
    output: y,
    saved: [indices],
    backward: (dy, [indices], _needs, [sum]) => [sumByRow(indices, dy, rows, sum)],
  });
}
