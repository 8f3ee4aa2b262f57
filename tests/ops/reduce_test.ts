import { assertEquals, assertThrows } from "@std/assert";
import * as ops from "../../src/ops/mod.ts";
import { fromArray, full, gradients, ShapeError, type Tensor } from "../../src/tensor/mod.ts";
import { assertSame, assertTensorClose } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { type NDArray, toF32 } from "../support/reference.ts";
import { torchcheck } from "../support/torchcheck.ts";

const cases: [shape: number[], options: ops.ReduceOptions][] = [
  [[1], {}],
  [[3, 5], {}],
  [[7, 33], { axes: [1] }],
  [[5, 8], { axes: [-1], keepDims: true }],
  [[33, 8], { axes: [0] }],
  [[33, 7], { axes: [0], keepDims: true }],
  [[3, 5, 7, 4], { axes: [1, 2] }],
  [[3, 5, 1, 3], { axes: [0, 3] }],
  [[2, 3, 2, 5, 3], { axes: [0, 2, 4] }],
  [[3, 5], { axes: [] }],
  [[3, 1, 5], { axes: [1] }],
  [[2, 600], { axes: [1] }],
  [[513, 4], { axes: [0] }],
];

for (const name of ["sum", "mean", "max"] as const) {
  gpuTest(`${name}: float64 and finite differences`, async () => {
    for (const [shape, options] of cases) {
      const random = new Random(shape.length);
      await gradcheck({
        name: `${name} [${shape}] over [${options.axes ?? "all"}]`,
        inputs: [name === "max" ? random.distinct(shape, 0.01) : random.normal(shape, 0.5)],
        op: ([x]) => ops[name](x, options),
        reference: ([x]) => reference[name](x, options),
      });
    }
  });

  gpuTest(`${name}: PyTorch's numbers`, async () => {
    await torchcheck(name, ([x], options) => ops[name](x, options));
  });

  gpuTest(`${name}: lengths around every split`, async (gpu) => {
    for (const length of [15, 16, 17, 255, 256, 257, 260, 1028, 65_537]) {
      const x = new Random(length).normal([length], 1);
      await flat(gpu, async () => {
        using tensor = fromArray(gpu, toF32(x), x.shape);
        using y = ops[name](tensor);
        await assertTensorClose(y, reference[name](x), { relative: 1e-6 });
      });
    }
  });

  gpuTest(`${name}: a row or a column alone gives the same bits`, async (gpu) => {
    const x = new Random(9).normal([8, 1001]);
    const row: NDArray = { shape: [1, 1001], data: x.data.slice(3 * 1001, 4 * 1001) };
    const columns = reference.permute(x, [1, 0]);
    const column: NDArray = { shape: [1001, 1], data: row.data };
    const read = (x: NDArray, axis: number) => {
      using _scope = gpu.scope();
      return ops[name](fromArray(gpu, toF32(x), x.shape), { axes: [axis] }).read();
    };
    const [inRows] = await read(row, 1);
    assertSame([(await read(x, 1))[3]], [inRows]);
    assertSame([(await read(columns, 0))[3]], [inRows], "a column of a multiple of four");
    assertSame(await read(column, 0), [inRows], "a column alone");
  });
}

gpuTest("sum and mean: a million numbers to 1e-6", async (gpu) => {
  const random = new Random(2);
  for (const value of [() => 0.1, () => random.next(), () => 1000 + random.next()]) {
    const values = Float32Array.from({ length: 1_000_000 }, value);
    const total = values.reduce((total, v) => total + v, 0);
    const pending = (() => {
      using _scope = gpu.scope();
      const x = fromArray(gpu, values, [1000, 1000]);
      return Promise.all([ops.sum(x).item(), ops.mean(x).item()]);
    })();
    const [sum, mean] = await pending;
    assertEquals(Math.abs(sum / total - 1) < 1e-6, true, `sum ${sum}, expected ${total}`);
    assertEquals(Math.abs(mean / (total / 1e6) - 1) < 1e-6, true, `mean ${mean}`);
  }
});

gpuTest("max: equals share the gradient, -Infinity is a value", async (gpu) => {
  const pending = (() => {
    using _scope = gpu.scope();
    const x = fromArray(gpu, [5, 1, 5, 2, 2, 2], [2, 3]).requireGrad();
    const y = ops.max(x, { axes: [1] });
    const [dx] = gradients(y, [x], { seed: full(gpu, [2], 3) });
    const low = ops.max(fromArray(gpu, [-Infinity, -Infinity], [2]));
    return Promise.all([y.read(), dx.read(), low.read()]);
  })();
  const [y, dx, low] = await pending;
  assertEquals([...y], [5, 2]);
  assertEquals([...dx], [1.5, 0, 1.5, 1, 1, 1]);
  assertEquals([...low], [-Infinity]);
});

gpuTest("reductions: what does not fit is refused", (gpu) => {
  using _scope = gpu.scope();
  const x: Tensor = full(gpu, [2, 3], 1);
  assertThrows(() => ops.sum(x, { axes: [2] }), RangeError, "sum: axis 2");
  assertThrows(() => ops.mean(x, { axes: [-3] }), RangeError, "mean: axis -3");
  const indices = fromArray(gpu, new Uint32Array(3), [3]);
  assertThrows(() => ops.max(indices), ShapeError, "max: x is u32");
});
