import { defineKernel, type Gpu, gridFor, type Storage } from "../gpu/mod.ts";
import { empty } from "../tensor/mod.ts";
import { align, type Matrices } from "./fit.ts";
import { groupSize } from "./tile.ts";

const kernel = defineKernel("transpose");

/** Some rows of each matrix. */
export interface Rows {
  first: number;
  taken: number;
}

/**
 * Rows of matrices, all by default, as the columns of others: [count, columns, align(taken)], filled up
 * with zeros. The columns of the source are a multiple of 4.
 */
export function transposed(
  gpu: Gpu,
  { storage, count, rows, columns }: Matrices,
  { first, taken }: Rows = { first: 0, taken: rows },
): Storage {
  const y = empty(gpu, [count, columns, align(taken)]);
  const GROUP = groupSize(gpu);
  gpu.run(kernel, "transpose4", {
    bind: { x: storage, y: y.storage },
    params: { count, rows, columns, first, taken },
    constants: { GROUP },
    grid: gridFor(y.size / 16, GROUP),
  });
  return y.storage;
}
