import { assertEquals, assertThrows } from "@std/assert";
import { slice } from "../../src/ops/mod.ts";
import { full, ShapeError } from "../../src/tensor/mod.ts";
import { gpuTest } from "../support/gpu.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { torchcheck } from "../support/torchcheck.ts";

gpuTest("slice: float64 and finite differences", async () => {
  const cases: [shape: number[], start: number[], end: number[]][] = [
    [[7], [2], [5]],
    [[5, 7], [1, 2], [4, 7]],
    [[3, 5, 8], [0, 1, 0], [3, 4, 8]],
    [[3, 5, 8], [1, 0, 4], [2, 5, 8]],
    [[2, 3, 5, 4], [0, 1, 2, 3], [2, 2, 5, 4]],
  ];
  for (const [shape, start, end] of cases) {
    await gradcheck({
      name: `slice [${shape}] from [${start}] to [${end}]`,
      inputs: [new Random(1).normal(shape)],
      op: ([x]) => slice(x, start, end),
      reference: ([x]) => reference.slice(x, start, end),
    });
  }
});

gpuTest("slice: negative and missing numbers", async () => {
  await gradcheck({
    name: "slice [5, 7] from [-2]",
    inputs: [new Random(1).normal([5, 7])],
    op: ([x]) => slice(x, [-2]),
    reference: ([x]) => reference.slice(x, [3, 0], [5, 7]),
  });
  await gradcheck({
    name: "slice [5, 7] to [-1, -3]",
    inputs: [new Random(1).normal([5, 7])],
    op: ([x]) => slice(x, [], [-1, -3]),
    reference: ([x]) => reference.slice(x, [0, 0], [4, 4]),
  });
});

gpuTest("slice: PyTorch's numbers", async () => {
  await torchcheck("slice", ([x], { start, end }) => slice(x, start, end));
});

gpuTest("slice: what does not fit is refused", (gpu) => {
  using _scope = gpu.scope();
  const x = full(gpu, [2, 3], 1);
  assertEquals(slice(x, [0, 1], [2, 1]).shape, [2, 0]);
  assertThrows(() => slice(x, [0, 0, 0]), ShapeError, "at most 2 numbers");
  assertThrows(() => slice(x, [0, 2], [2, 1]), RangeError, "2 to 1 on axis 1 of length 3");
  assertThrows(() => slice(x, [0], [3]), RangeError, "0 to 3 on axis 0");
  assertThrows(() => slice(x, [-3]), RangeError, "axis 0");
  assertThrows(() => slice(x, [0.5]), RangeError, "axis 0");
});
