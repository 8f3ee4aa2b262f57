import { defineKernel, gridFor } from "../gpu/mod.ts";
import { empty, type Tensor } from "../tensor/mod.ts";

const kernel = defineKernel("column_sums");

/**
 * The sums over the rows of two tensors that hold `[batches, rows, columns]`, as `[batches, columns]`,
 * and as `[columns]` for one batch: the shape of the parameter.
 * Normalisations reduce the gradients of their parameters with it, in a fixed order.
 */
export function columnSums(
  a: Tensor,
  b: Tensor,
  { batches, rows, columns }: { batches: number; rows: number; columns: number },
): [Tensor, Tensor] {
  const { gpu } = a;
  const shape = batches === 1 ? [columns] : [batches, columns];
  const sums: [Tensor, Tensor] = [empty(gpu, shape), empty(gpu, shape)];
  const lanes = gpu.isCpu || rows <= 8 ? 1 : 16;
  const group = gpu.isCpu ? 8 : lanes === 1 ? 64 : 128;
  gpu.run(kernel, "sum", {
    bind: { a: a.storage, b: b.storage, a_sums: sums[0].storage, b_sums: sums[1].storage },
    params: { batches, rows, columns },
    constants: { GROUP: group, LANES: lanes },
    grid: gridFor(batches * columns, group / lanes),
  });
  return sums;
}
