import { assertEquals, assertThrows } from "@std/assert";
import { argmax, reshape } from "../../src/ops/mod.ts";
import { fromArray, full, ShapeError } from "../../src/tensor/mod.ts";
import { assertSame } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { opCase } from "../support/fixtures.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { type NDArray, toF32 } from "../support/reference.ts";

gpuTest("argmax: the reference's indices, ties included", async (gpu) => {
  const cases: [shape: number[], axis: number, values: number][] = [
    [[1], 0, 9],
    [[7, 33], -1, 5],
    [[5, 8], 1, 3],
    [[33, 7], 0, 4],
    [[3, 5, 4], 1, 3],
    [[3, 1024], -1, 50],
    [[3, 1001], -1, 50],
    [[1025, 3], 0, 50],
    [[2, 70_000], 1, 400],
  ];
  for (const [shape, axis, values] of cases) {
    const x = new Random(shape.length).integers(shape, values);
    await flat(gpu, async () => {
      using tensor = fromArray(gpu, toF32(x), shape);
      using y = argmax(tensor, axis);
      const expected = reference.argmax(x, { axis });
      assertEquals([...y.shape], expected.shape);
      assertSame(await y.readU32(), expected, `argmax [${shape}] axis ${axis}`);
    });
  }
});

gpuTest("argmax: PyTorch's indices", async (gpu) => {
  for (const index of [0, 1, 2, 3]) {
    const { inputs: [x], options, output } = await opCase("argmax", index);
    using tensor = fromArray(gpu, toF32(x), x.shape);
    using y = argmax(tensor, options.axis as number);
    using shaped = reshape(y, output.shape);
    assertSame(await shaped.readU32(), output, `argmax ${index}`);
  }
});

gpuTest("argmax: rows of equals and of -Infinity give 0", async (gpu) => {
  for (const value of [2, -Infinity]) {
    for (const length of [3, 8, 2000]) {
      using x = full(gpu, [2, length], value);
      using y = argmax(x);
      assertEquals([...await y.readU32()], [0, 0]);
    }
  }
});

gpuTest("argmax: a row alone gives the same index", async (gpu) => {
  const x = new Random(4).integers([9, 777], 40);
  const row: NDArray = { shape: [1, 777], data: x.data.slice(5 * 777, 6 * 777) };
  const read = (x: NDArray) => {
    using _scope = gpu.scope();
    return argmax(fromArray(gpu, toF32(x), x.shape)).readU32();
  };
  assertEquals((await read(row))[0], (await read(x))[5]);
});

gpuTest("argmax: what does not fit is refused", (gpu) => {
  using _scope = gpu.scope();
  assertThrows(() => argmax(full(gpu, [2, 3], 1), 2), RangeError, "axis 2");
  assertThrows(() => argmax(full(gpu, [2, 0], 1)), ShapeError, "no elements");
  assertThrows(() => argmax(fromArray(gpu, new Uint32Array(2), [2])), ShapeError, "u32");
});
