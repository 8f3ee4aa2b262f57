import { defineKernel, type Gpu, gridFor, type Storage } from "../gpu/mod.ts";
import { empty, type Shape, type Tensor } from "../tensor/mod.ts";
import { groupSize } from "./tile.ts";

const kernel = defineKernel("sum_rows");

/** Columns that one pass keeps busy before the rows are worth cutting. */
const BUSY = 4096;
/** Rows that a part has at least. */
const SHORTEST = 32;

/**
 * The sums over the rows of a [rows, columns] matrix, as a tensor of `shape`, written to `y` if there is one.
 * Many rows are summed in parts, and the parts in a second pass: the order depends on the extents alone.
 */
export function sumRows(
  gpu: Gpu,
  x: Storage,
  rows: number,
  columns: number,
  shape: Shape,
  y: Tensor = empty(gpu, shape),
): Tensor {
  const wanted = Math.min(Math.ceil(BUSY / columns), Math.ceil(rows / SHORTEST));
  const chunk = Math.ceil(rows / Math.max(wanted, 1));
  const parts = Math.ceil(rows / chunk);
  if (parts === 1) return sumParts(gpu, x, rows, columns, chunk, y);
  const sums = sumParts(gpu, x, rows, columns, chunk, empty(gpu, [parts, columns]));
  return sumParts(gpu, sums.storage, parts, columns, parts, y);
}

function sumParts(
  gpu: Gpu,
  x: Storage,
  rows: number,
  columns: number,
  chunk: number,
  y: Tensor,
): Tensor {
  const parts = Math.ceil(rows / chunk);
  const GROUP = groupSize(gpu);
  const width = columns % 4 === 0 ? 4 : 1;
  const [entry, bind] = width === 4
    ? ["quads", { termQuads: x, sumQuads: y.storage }] as const
    : ["singles", { terms: x, sums: y.storage }] as const;
  gpu.run(kernel, entry, {
    bind,
    params: { rows, columns, parts, chunk },
    constants: { GROUP },
    grid: gridFor(parts * columns / width, GROUP),
  });
  return y;
}
