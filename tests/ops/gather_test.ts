import { assertEquals, assertThrows } from "@std/assert";
import { add, gather, mul, sum } from "../../src/ops/mod.ts";
import { fromArray, full, ShapeError } from "../../src/tensor/mod.ts";
import { assertSame } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { torchcheck } from "../support/torchcheck.ts";

gpuTest("gather: float64 and finite differences", async (gpu) => {
  const cases: [rows: number, channels: number, indices: number[]][] = [
    [1, 1, [1]],
    [3, 5, [7]],
    [7, 4, [3, 5]],
    [33, 3, [2, 3, 5]],
    [300, 8, [33]],
    [5, 16, [300]],
    [3, 4, []],
  ];
  for (const [rows, channels, shape] of cases) {
    const random = new Random(rows);
    const indices = random.integers(shape, rows);
    using tensor = fromArray(gpu, Uint32Array.from(indices.data), shape);
    await gradcheck({
      name: `gather [${rows}, ${channels}] by [${shape}]`,
      inputs: [random.normal([rows, channels])],
      op: ([table]) => gather(table, tensor),
      reference: ([table]) => reference.gather(table, indices),
    });
  }
});

gpuTest("gather: PyTorch's numbers", async () => {
  await torchcheck("gather", ([table, indices]) => gather(table, indices));
});

gpuTest("gather: an index past the end reads the last row", async (gpu) => {
  await flat(gpu, async () => {
    using table = fromArray(gpu, [1, 2, 3, 4, 5, 6], [3, 2]);
    using indices = fromArray(gpu, new Uint32Array([3, 0, 0xffffffff]), [3]);
    using y = gather(table, indices);
    assertSame(await y.readF32(), [5, 6, 1, 2, 5, 6]);
    assertEquals(y.shape, [3, 2]);
  });
});

gpuTest("gather: what does not fit is refused", (gpu) => {
  using _scope = gpu.scope();
  const indices = fromArray(gpu, new Uint32Array(3), [3]);
  assertThrows(() => gather(full(gpu, [3], 1), indices), ShapeError, "table [3]");
  assertThrows(() => gather(full(gpu, [0, 3], 1), indices), ShapeError, "table [0, 3]");
  assertThrows(() => gather(full(gpu, [2, 3], 1), full(gpu, [3], 0)), ShapeError, "indices is f32");
  assertThrows(() => gather(indices, indices), ShapeError, "table is u32");
});

gpuTest("gather: the gradients of several gathers add up in one table", async (gpu) => {
  for (const channels of [8, 5]) { // added in place, and apart
    const random = new Random(channels);
    const tables = [[40], [3, 7], []].map((shape) => random.integers([...shape, 1], 50));
    await gradcheck({
      name: `three gathers of ${channels} channels`,
      inputs: [random.normal([50, channels])],
      op: ([table]) =>
        tables.map(({ data, shape }) => {
          const y = gather(table, fromArray(gpu, Uint32Array.from(data), shape));
          return sum(mul(y, y));
        }).reduce((total, next) => add(total, next)),
      reference: ([table]) => {
        const squares = tables.flatMap((indices) =>
          Array.from(reference.gather(table, indices).data, (value) => value ** 2)
        );
        return reference.nd([], [squares.reduce((total, square) => total + square)]);
      },
    });
  }
});
