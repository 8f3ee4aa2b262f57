import { assertEquals, assertThrows } from "@std/assert";
import { concat, stack } from "../../src/ops/mod.ts";
import { fromArray, full, ShapeError } from "../../src/tensor/mod.ts";
import { assertSame } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { torchcheck } from "../support/torchcheck.ts";

gpuTest("concat: float64 and finite differences", async () => {
  const cases: [shapes: number[][], axis: number][] = [
    [[[1]], 0],
    [[[3], [5]], 0],
    [[[3, 5], [1, 5], [2, 5]], 0],
    [[[3, 4], [3, 8]], 1],
    [[[3, 5], [3, 4]], -1],
    [[[2, 3, 8], [2, 1, 8], [2, 7, 8]], 1],
  ];
  for (const [shapes, axis] of cases) {
    const random = new Random(shapes.length);
    await gradcheck({
      name: `concat ${shapes.map((shape) => `[${shape}]`).join(" ")} along ${axis}`,
      inputs: shapes.map((shape) => random.normal(shape)),
      op: (xs) => concat(xs, axis),
      reference: (xs) => reference.concat(xs, axis),
    });
  }
});

gpuTest("concat: PyTorch's numbers", async () => {
  await torchcheck("concat", (xs, { axis }) => concat(xs, axis));
});

gpuTest("stack: float64 and finite differences", async () => {
  for (const axis of [0, 1, -1]) {
    const random = new Random(1);
    const grown = [[1, 3, 5], [3, 1, 5], [3, 5, 1]].at(axis)!;
    await gradcheck({
      name: `stack along ${axis}`,
      inputs: [random.normal([3, 5]), random.normal([3, 5])],
      op: (xs) => stack(xs, axis),
      reference: (xs) => reference.concat(xs.map((x) => reference.reshape(x, grown)), axis),
    });
  }
});

gpuTest("concat and stack: integers, and no handle left behind", async (gpu) => {
  await flat(gpu, async () => {
    using a = fromArray(gpu, new Uint32Array([0x7f800001, 2]), [2]);
    using b = fromArray(gpu, new Uint32Array([3, 4]), [2]);
    using none = fromArray(gpu, new Uint32Array(0), [0]);
    using joined = concat([a, none, b], 0);
    using stacked = stack([a, b], 1);
    assertSame(await joined.readU32(), [0x7f800001, 2, 3, 4]);
    assertSame(await stacked.readU32(), [0x7f800001, 3, 2, 4]);
    assertEquals(stacked.shape, [2, 2]);
  });
});

gpuTest("concat and stack: what does not fit is refused", (gpu) => {
  using _scope = gpu.scope();
  const x = full(gpu, [2, 3], 1);
  assertThrows(() => concat([], 0), ShapeError, "no tensors");
  assertThrows(() => stack([]), ShapeError, "no tensors");
  assertThrows(() => concat([x, full(gpu, [2, 4], 1)], 0), ShapeError, "more than axis 0");
  assertThrows(() => concat([x, full(gpu, [3], 1)], 0), ShapeError, "more than axis 0");
  assertThrows(() => concat([x], 2), RangeError, "axis 2");
  const indices = fromArray(gpu, new Uint32Array(6), [2, 3]);
  assertThrows(() => concat([x, indices], 0), ShapeError, "u32, expected f32");
});
