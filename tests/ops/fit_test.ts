import { assertEquals } from "@std/assert";
import type { Gpu, Storage } from "../../src/gpu/mod.ts";
import { flipped, flippedOneByOne, type Matrices } from "../../src/ops/fit.ts";
import { cast } from "../../src/ops/mod.ts";
import { fromArray, Tensor } from "../../src/tensor/mod.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";

interface Case {
  count: number;
  rows: number;
  columns: number;
  toRows: number;
  toColumns: number;
}

const cases: Case[] = [
  { count: 1, rows: 4, columns: 4, toRows: 4, toColumns: 4 },
  { count: 9, rows: 20, columns: 36, toRows: 36, toColumns: 20 },
  { count: 3, rows: 16, columns: 68, toRows: 68, toColumns: 16 },
  { count: 2, rows: 8, columns: 4, toRows: 12, toColumns: 20 },
  { count: 2, rows: 20, columns: 12, toRows: 8, toColumns: 4 },
  { count: 3, rows: 3, columns: 5, toRows: 8, toColumns: 4 },
  { count: 1, rows: 7, columns: 33, toRows: 36, toColumns: 8 },
];

gpuTest("matrices are flipped in blocks and one by one to the same bits", async (gpu) => {
  for (const { count, rows, columns, toRows, toColumns } of cases) {
    const values = new Float32Array(
      new Float16Array(
        new Random(rows).normal([count, rows, columns]).data,
      ),
    );
    const expected = expectedOf(values, { count, rows, columns, toRows, toColumns });
    using whole = fromArray(gpu, values, [count, rows, columns]);
    for (const dtype of gpu.hasHalf ? ["f32", "f16"] as const : ["f32"] as const) {
      using x = cast(whole, dtype);
      const from = { storage: x.storage, count, rows, columns };
      for (const flip of [flipped, flippedOneByOne]) {
        const found = await flat(gpu, () => read(gpu, flip, from, [toRows, toColumns]));
        assertEquals(found, expected, `${flip.name} of ${rows} by ${columns}, ${dtype}`);
      }
    }
  }
});

function expectedOf(
  values: Float32Array,
  { count, rows, columns, toRows, toColumns }: Case,
): Float32Array {
  return Float32Array.from({ length: count * toRows * toColumns }, (_, i) => {
    const [column, row] = [Math.floor(i / toColumns) % toRows, i % toColumns];
    const matrix = count - 1 - Math.floor(i / (toRows * toColumns));
    const exists = row < rows && column < columns;
    return exists ? values[(matrix * rows + row) * columns + column] : 0;
  });
}

function read(
  gpu: Gpu,
  flip: (gpu: Gpu, from: Matrices, rows: number, columns: number) => Storage,
  from: Matrices,
  [rows, columns]: [number, number],
): Promise<Float32Array | Uint32Array> {
  using _scope = gpu.scope();
  const storage = flip(gpu, from, rows, columns);
  using y = new Tensor(
    gpu,
    storage.retain(),
    [from.count, rows, columns],
    storage.isHalf ? "f16" : "f32",
  );
  return y.read();
}
