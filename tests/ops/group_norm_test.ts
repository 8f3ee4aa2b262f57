import { assertThrows } from "@std/assert";
import { groupNorm } from "../../src/ops/mod.ts";
import { fromArray, full, gradients, ShapeError, zeros } from "../../src/tensor/mod.ts";
import { assertSame, assertTensorClose } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { type NDArray, toF32 } from "../support/reference.ts";
import { torchcheck } from "../support/torchcheck.ts";

const silu = (x: NDArray): NDArray => ({ ...x, data: x.data.map((z) => z / (1 + Math.exp(-z))) });

const shapes: [shape: number[], groups: number][] = [
  [[1, 1, 1, 3], 1],
  [[2, 3, 5, 7], 7],
  [[3, 7, 5, 8], 2],
  [[1, 33, 3, 6], 3],
  [[2, 33], 11],
  [[1, 17, 4], 1],
];

for (const [shape, groups] of shapes) {
  for (const withSilu of [false, true]) {
    const name = `groupNorm [${shape}] in ${groups} groups${withSilu ? " with SiLU" : ""}`;
    gpuTest(`${name}: float64 and finite differences`, async () => {
      const random = new Random(shape.length + groups);
      const channels = shape[shape.length - 1];
      const eps = 1e-3; // a group of one value has variance 0: its slope is 1/√eps
      await gradcheck({
        name,
        inputs: [
          random.normal(shape, 0.5, 2),
          random.normal([channels], 1, 0.3),
          random.normal([channels]),
        ],
        op: ([x, gamma, beta]) => groupNorm(x, gamma, beta, { groups, eps, silu: withSilu }),
        reference: ([x, gamma, beta]) => {
          const y = reference.groupNorm(x, gamma, beta, { groups, eps });
          return withSilu ? silu(y) : y;
        },
      });
    });
  }
}

gpuTest("groupNorm over several chunks of pixels", async (gpu) => {
  const x = new Random(3).normal([1, 91, 101, 6], 1, 3);
  const ones = reference.filled([6], 1);
  const none = reference.filled([6], 0);
  const expected = reference.groupNorm(x, ones, none, { groups: 2 });
  using _scope = gpu.scope();
  const y = groupNorm(fromArray(gpu, toF32(x), x.shape), full(gpu, [6], 1), zeros(gpu, [6]), {
    groups: 2,
  });
  await assertTensorClose(y, expected, { relative: 1e-6 });
});

gpuTest("groupNorm keeps its digits where the mean is 1000 times the deviation", async (gpu) => {
  const x = new Random(4).normal([2, 31, 29, 8], 1000, 1);
  const expected = reference.groupNorm(x, null, null, { groups: 4 });
  using _scope = gpu.scope();
  const y = groupNorm(fromArray(gpu, toF32(x), x.shape), full(gpu, [8], 1), zeros(gpu, [8]), {
    groups: 4,
  });
  await assertTensorClose(y, expected, { relative: 3e-5 }); // float32 at 1000 resolves 6e-5
});

gpuTest("groupNorm equals PyTorch's", async () => {
  await torchcheck("groupNorm", ([x, gamma, beta], options) => groupNorm(x, gamma, beta, options));
});

gpuTest("groupNorm: an image alone gives the bits it has in a batch", async (gpu) => {
  const random = new Random(5);
  const images = random.normal([3, 37, 41, 8], 2, 3);
  const size = images.data.length / 3;
  const w = random.normal([37, 41, 8]);
  const run = (batch: number, data: Float64Array) => {
    using _scope = gpu.scope();
    const shape = [batch, 37, 41, 8];
    const x = fromArray(gpu, Float32Array.from(data), shape).requireGrad();
    const cotangent = new Float32Array(batch * size).map((_, i) => w.data[i % size]);
    const y = groupNorm(x, full(gpu, [8], 1.5), full(gpu, [8], 0.5), { groups: 4, silu: true });
    const [dx] = gradients(y, [x], { seed: fromArray(gpu, cotangent, shape) });
    return Promise.all([y.readF32(), dx.readF32()]);
  };
  const together = await run(3, images.data);
  for (let image = 0; image < 3; image++) {
    const alone = await run(1, images.data.subarray(image * size, (image + 1) * size));
    for (const [i, what] of ["output", "input gradient"].entries()) {
      assertSame(alone[i], together[i].subarray(image * size, (image + 1) * size), what);
    }
  }
});

gpuTest("groupNorm leaves no bytes behind", async (gpu) => {
  await flat(gpu, () => {
    using _scope = gpu.scope();
    const x = full(gpu, [2, 5, 5, 8], 1).requireGrad();
    const gamma = full(gpu, [8], 1).requireGrad();
    const y = groupNorm(x, gamma, zeros(gpu, [8]), { groups: 2, silu: true });
    gradients(y, [x, gamma], { seed: full(gpu, x.shape, 1) });
  });
});

gpuTest("groupNorm refuses what does not fit", (gpu) => {
  using _scope = gpu.scope();
  const x = full(gpu, [1, 2, 2, 6], 1);
  const six = full(gpu, [6], 1);
  const cases = [
    () => groupNorm(full(gpu, [6], 1), six, six, { groups: 1 }),
    () => groupNorm(x, full(gpu, [5], 1), six, { groups: 1 }),
    () => groupNorm(x, six, full(gpu, [1, 6], 1), { groups: 1 }),
    () => groupNorm(zeros(gpu, [0, 2, 6]), six, six, { groups: 1 }),
    () => groupNorm(zeros(gpu, [1, 2, 6], "u32"), six, six, { groups: 1 }),
  ];
  for (const run of cases) assertThrows(run, ShapeError, "groupNorm: ");
  assertThrows(() => groupNorm(x, six, six, { groups: 4 }), RangeError, "4 groups");
  assertThrows(() => groupNorm(x, six, six, { groups: 2, eps: -1 }), RangeError, "eps");
});
