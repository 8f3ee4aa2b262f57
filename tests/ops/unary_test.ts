import { assertEquals, assertThrows } from "@std/assert";
import * as ops from "../../src/ops/mod.ts";
import { fromArray, full, gradients, ShapeError, type Tensor } from "../../src/tensor/mod.ts";
import { assertClose, assertSame } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { map, type NDArray } from "../support/reference.ts";
import { torchcheck } from "../support/torchcheck.ts";

interface Case {
  op: (x: Tensor) => Tensor;
  reference: (x: NDArray) => NDArray;
  /** The inputs' range; ±4 unless given. */
  range?: [number, number];
  /** Where it has no derivative. */
  kinks?: number[];
}

const cases: Record<string, Case> = {
  exp: { op: ops.exp, reference: reference.exp },
  log: { op: ops.log, reference: reference.log, range: [0.05, 5] },
  sqrt: { op: ops.sqrt, reference: reference.sqrt, range: [0.05, 5] },
  rsqrt: { op: ops.rsqrt, reference: reference.rsqrt, range: [0.1, 5] },
  silu: { op: ops.silu, reference: reference.silu },
  gelu: { op: ops.gelu, reference: reference.gelu },
  relu: { op: ops.relu, reference: reference.relu, kinks: [0] },
  leakyRelu: { op: ops.leakyRelu, reference: reference.leakyRelu, kinks: [0] },
  "leakyRelu, slope -0.5": {
    op: (x) => ops.leakyRelu(x, -0.5),
    reference: (x) => reference.leakyRelu(x, -0.5),
    kinks: [0],
  },
  sigmoid: { op: ops.sigmoid, reference: reference.sigmoid },
  softplus: { op: ops.softplus, reference: reference.softplus, range: [-12, 12] },
  clamp: {
    op: (x) => ops.clamp(x, { min: -1, max: 2 }),
    reference: (x) => reference.clamp(x, -1, 2),
    kinks: [-1, 2],
  },
  "clamp from below": {
    op: (x) => ops.clamp(x, { min: 0.5 }),
    reference: (x) => reference.clamp(x, 0.5, Infinity),
    kinks: [0.5],
  },
  abs: { op: ops.abs, reference: reference.abs, kinks: [0] },
  square: { op: ops.square, reference: reference.square },
  neg: { op: ops.neg, reference: reference.neg },
  tanh: { op: ops.tanh, reference: (x) => map(x, Math.tanh) },
  affine: {
    op: (x) => ops.affine(x, -1.5, 0.25),
    reference: (x) => map(x, (v) => -1.5 * v + 0.25),
  },
};

for (
  const [name, { op, reference, range: [low, high] = [-4, 4], kinks = [] }] of Object.entries(cases)
) {
  gpuTest(`${name}: float64 and finite differences`, async () => {
    for (const shape of [[1], [3, 5], [7, 33], [2, 1, 8]]) {
      await gradcheck({
        name: `${name} [${shape}]`,
        inputs: [new Random(shape.length).uniform(shape, low, high)],
        op: ([x]) => op(x),
        reference: ([x]) => reference(x),
        skip: kinks.length > 0
          ? ({ value }) => kinks.some((kink) => Math.abs(value - kink) < 1e-3)
          : undefined,
      });
    }
  });
}

const fixtures: Record<string, (x: Tensor, options: never) => Tensor> = {
  exp: ops.exp,
  log: ops.log,
  sqrt: ops.sqrt,
  rsqrt: ops.rsqrt,
  silu: ops.silu,
  gelu: ops.gelu,
  relu: ops.relu,
  leakyRelu: (x, { slope }: { slope: number }) => ops.leakyRelu(x, slope),
  sigmoid: ops.sigmoid,
  softplus: ops.softplus,
  clamp: (x, bounds: ops.ClampOptions) => ops.clamp(x, bounds),
  abs: ops.abs,
  square: ops.square,
  neg: ops.neg,
};

gpuTest("elementwise: PyTorch's numbers", async () => {
  for (const [name, op] of Object.entries(fixtures)) {
    await torchcheck(name, ([x], options) => op(x, options as never));
  }
});

/** Values and gradients of an operation at given points. */
async function at(op: (x: Tensor) => Tensor, gpu: Tensor["gpu"], points: number[]) {
  const pending = (() => {
    using _scope = gpu.scope();
    const x = fromArray(gpu, points, [points.length]).requireGrad();
    const y = op(x);
    const [dx] = gradients(y, [x], { seed: full(gpu, [points.length], 1) });
    return Promise.all([y.readF32(), dx.readF32()]);
  })();
  const [y, dx] = await pending;
  return { y: [...y], dx: [...dx] };
}

gpuTest("elementwise: far from zero nothing overflows", async (gpu) => {
  const far = [-1e30, -1000, -100, 100, 1000, 1e30];
  const [big, thousand, hundred] = [Math.fround(1e30), 1000, 100];
  await flat(gpu, async () => {
    assertEquals(await at(ops.sigmoid, gpu, far), {
      y: [0, 0, 0, 1, 1, 1],
      dx: [0, 0, 0, 0, 0, 0],
    });
    assertEquals(await at(ops.tanh, gpu, far), {
      y: [-1, -1, -1, 1, 1, 1],
      dx: [0, 0, 0, 0, 0, 0],
    });
    for (const op of [ops.silu, ops.gelu, ops.softplus]) {
      const { y, dx } = await at(op, gpu, far);
      assertClose(y, [0, 0, 0, hundred, thousand, big], { absolute: 1e-30 * big });
      assertClose(dx, [0, 0, 0, 1, 1, 1]);
    }
  });
});

gpuTest("elementwise: small results keep their digits", async (gpu) => {
  const points = [-5, -10, -20, -60];
  const { y: softplus } = await at(ops.softplus, gpu, points);
  const { y: sigmoid } = await at(ops.sigmoid, gpu, points);
  const { y: tanh } = await at(ops.tanh, gpu, [1e-6, 1e-3, 0.099, 0.101]);
  const ratios = (found: number[], expected: number[]) => found.map((y, i) => y / expected[i]);
  const ones = [1, 1, 1, 1];
  assertClose(ratios(softplus, points.map((x) => Math.log1p(Math.exp(x)))), ones);
  assertClose(ratios(sigmoid, points.map((x) => 1 / (1 + Math.exp(-x)))), ones);
  assertClose(ratios(tanh, [1e-6, 1e-3, 0.099, 0.101].map(Math.tanh)), ones, { relative: 2e-6 });
});

gpuTest("elementwise: at the points without a derivative, PyTorch's choice", async (gpu) => {
  assertEquals((await at(ops.relu, gpu, [0])).dx, [0]);
  assertEquals((await at(ops.abs, gpu, [0])).dx, [0]);
  assertEquals((await at((x) => ops.leakyRelu(x, 0.25), gpu, [0])).dx, [0.25]);
  const clamped = await at((x) => ops.clamp(x, { min: -1, max: 2 }), gpu, [-2, -1, 0, 2, 3]);
  assertEquals(clamped, { y: [-1, -1, 0, 2, 2], dx: [0, 1, 1, 1, 0] });
});

gpuTest("elementwise: NaN is not hidden", async (gpu) => {
  for (
    const op of [
      ops.relu,
      ops.leakyRelu,
      ops.silu,
      ops.sigmoid,
      (x: Tensor) => ops.clamp(x, { min: 0 }),
    ]
  ) {
    assertEquals((await at(op, gpu, [NaN, 1])).y[0], NaN);
  }
});

gpuTest("elementwise: a row alone gives the same bits", async (gpu) => {
  const x = new Random(3).normal([5, 33], 0, 3);
  for (const [name, { op }] of Object.entries(cases)) {
    const all = await at(op, gpu, [...x.data]);
    const row = await at(op, gpu, [...x.data.subarray(66, 99)]);
    if (row.y.some(Number.isNaN)) continue;
    assertSame(row.y, all.y.slice(66, 99), name);
    assertSame(row.dx, all.dx.slice(66, 99), `${name}: gradient`);
  }
});

gpuTest("elementwise: integers and crossed bounds are refused", (gpu) => {
  using _scope = gpu.scope();
  const indices = fromArray(gpu, new Uint32Array(3), [3]);
  assertThrows(() => ops.exp(indices), ShapeError, "exp: x is u32");
  assertThrows(() => ops.affine(indices, 1, 1), ShapeError, "affine: x is u32");
  const x = fromArray(gpu, [1], [1]);
  assertThrows(() => ops.clamp(x, { min: 2, max: 1 }), RangeError, "min 2");
  assertThrows(() => ops.clamp(x, { min: NaN }), RangeError);
});
