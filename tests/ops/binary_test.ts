import { assertEquals, assertThrows } from "@std/assert";
import * as ops from "../../src/ops/mod.ts";
import { fromArray, full, gradients, ShapeError, type Tensor } from "../../src/tensor/mod.ts";
import { assertTensorClose } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { map, toF32 } from "../support/reference.ts";
import { torchcheck } from "../support/torchcheck.ts";

type Shapes = [a: number[], b: number[]];

/** One pair for each way through the kernel, at odd sizes and at multiples of four. */
const shapes: Shapes[] = [
  [[1], [1]],
  [[3, 5], [3, 5]],
  [[2, 3, 8], [8]],
  [[7], [3, 7]],
  [[2, 3, 8], [2, 3, 1]],
  [[5, 1], [1, 7]],
  [[2, 5, 1, 4], [2, 1, 3, 4]],
  [[33], []],
  [[2, 1, 3, 1, 2, 1], [1, 3, 1, 2, 1, 4]],
  [[1, 1, 3], [3]],
];

const names = ["add", "sub", "mul", "div", "maximum", "minimum"] as const;

for (const name of names) {
  gpuTest(`${name}: float64 and finite differences`, async () => {
    for (const [a, b] of shapes) {
      const random = new Random(a.length + 7 * b.length);
      const right = name === "div" ? random.uniform(b, 0.5, 2) : random.normal(b);
      await gradcheck({
        name: `${name} [${a}] [${b}]`,
        inputs: [random.normal(a), right],
        op: ([a, b]) => ops[name](a, b),
        reference: ([a, b]) => reference[name](a, b),
      });
    }
  });

  gpuTest(`${name}: PyTorch's numbers`, async () => {
    await torchcheck(name, ([a, b]) => ops[name](a, b));
  });

  gpuTest(`${name}: a number on the right`, async () => {
    await gradcheck({
      name: `${name} with 1.5`,
      inputs: [new Random(5).normal([3, 7])],
      op: ([x]) => ops[name](x, 1.5),
      reference: ([x]) =>
        reference[name](x, map({ shape: [], data: new Float64Array(1) }, () => 1.5)),
    });
  });
}

gpuTest("add: longer than one row of workgroups", async (gpu) => {
  const x = new Random(1).uniform([3, 4001]);
  await flat(gpu, async () => {
    using tensor = fromArray(gpu, toF32(x), x.shape);
    using y = ops.add(tensor, tensor);
    await assertTensorClose(y, reference.add(x, x));
  });
});

gpuTest("binary: the same tensor on both sides gets both gradients", async (gpu) => {
  using _scope = gpu.scope();
  const x = fromArray(gpu, [2, -3], [2]).requireGrad();
  const [dx] = gradients(ops.sum(ops.mul(x, x)), [x]);
  const pending = dx.read();
  assertEquals([...await pending], [4, -6]);
});

gpuTest("maximum and minimum share the gradient of equals", async (gpu) => {
  const shared = (op: (a: Tensor, b: Tensor) => Tensor) => {
    using _scope = gpu.scope();
    const a = fromArray(gpu, [1, 2, 3], [3]).requireGrad();
    const b = fromArray(gpu, [2, 2, 2], [3]).requireGrad();
    const grads = gradients(op(a, b), [a, b], { seed: full(gpu, [3], 1) });
    return Promise.all(grads.map(async (gradient) => [...await gradient.read()]));
  };
  assertEquals(await shared(ops.maximum), [[0, 0.5, 1], [1, 0.5, 0]]);
  assertEquals(await shared(ops.minimum), [[1, 0.5, 0], [0, 0.5, 1]]);
});

gpuTest("maximum and minimum do not hide NaN", async (gpu) => {
  const pending = (() => {
    using _scope = gpu.scope();
    const a = fromArray(gpu, [NaN, 1], [2]);
    const b = fromArray(gpu, [1, NaN], [2]);
    return Promise.all([ops.maximum(a, b).read(), ops.minimum(a, b).read()]);
  })();
  for (const found of await pending) assertEquals([...found], [NaN, NaN]);
});

gpuTest("binary: what does not fit is refused", (gpu) => {
  using _scope = gpu.scope();
  const a = fromArray(gpu, new Float32Array(6), [2, 3]);
  assertThrows(() => ops.add(a, full(gpu, [2], 1)), ShapeError, "add: [2, 3] and [2]");
  const indices = fromArray(gpu, new Uint32Array(3), [3]);
  assertThrows(() => ops.mul(a, indices), ShapeError, "mul: b is u32");
});

gpuTest("mul keeps alive only what a gradient needs", (gpu) => {
  using scope = gpu.scope();
  const a = fromArray(gpu, new Float32Array(256), [256]).requireGrad();
  const mask = full(gpu, [256], 2);
  ops.mul(a, mask);
  const before = gpu.memory.live;
  scope.keep(a).dispose();
  assertEquals(before - gpu.memory.live, 4 * 256);
});
