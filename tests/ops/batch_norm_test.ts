import { assertEquals, assertThrows } from "@std/assert";
import { batchNorm } from "../../src/ops/mod.ts";
import { fromArray, full, gradients, scalar, ShapeError, zeros } from "../../src/tensor/mod.ts";
import { assertClose } from "../support/compare.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { toF32 } from "../support/reference.ts";
import { torchcheck } from "../support/torchcheck.ts";

for (const shape of [[5, 1], [7, 3], [3, 5, 7], [2, 3, 3, 8], [33, 33]]) {
  gpuTest(`batchNorm [${shape}]: float64 and finite differences`, async () => {
    const random = new Random(shape.length);
    const channels = shape[shape.length - 1];
    await gradcheck({
      name: `batchNorm [${shape}]`,
      inputs: [
        random.normal(shape, 0.5, 2),
        random.normal([channels], 1, 0.3),
        random.normal([channels]),
      ],
      op: ([x, gamma, beta]) => batchNorm(x, gamma, beta, { eps: 1e-3 }).output,
      reference: ([x, gamma, beta]) => reference.batchNorm(x, gamma, beta, { eps: 1e-3 }),
    });
  });

  gpuTest(`batchNorm [${shape}] by given statistics`, async (gpu) => {
    const random = new Random(shape.length);
    const channels = shape[shape.length - 1];
    const mean = random.normal([channels]);
    const variance = random.uniform([channels], 0.5, 2);
    using meanTensor = fromArray(gpu, toF32(mean), [channels]);
    using varianceTensor = fromArray(gpu, toF32(variance), [channels]);
    const statistics = { mean: meanTensor, variance: varianceTensor };
    await gradcheck({
      name: `batchNorm [${shape}] by given statistics`,
      inputs: [random.normal(shape), random.normal([channels]), random.normal([channels])],
      op: ([x, gamma, beta]) => batchNorm(x, gamma, beta, { eps: 0.1, statistics }).output,
      reference: ([x, gamma, beta]) => ({
        shape: x.shape,
        data: x.data.map((value, i) => {
          const c = i % channels;
          const normal = (value - mean.data[c]) / Math.sqrt(variance.data[c] + 0.1);
          return normal * gamma.data[c] + beta.data[c];
        }),
      }),
    });
  });
}

gpuTest("batchNorm equals PyTorch's", async () => {
  await torchcheck(
    "batchNorm",
    ([x, gamma, beta], { eps }) => batchNorm(x, gamma, beta, { eps }).output,
  );
});

gpuTest("batchNorm returns the batch's mean and biased variance", async (gpu) => {
  const x = new Random(3).normal([41, 7, 5], 100, 3);
  const mean = new Float64Array(5);
  const variance = new Float64Array(5);
  x.data.forEach((value, i) => mean[i % 5] += value / 287);
  x.data.forEach((value, i) => variance[i % 5] += (value - mean[i % 5]) ** 2 / 287);
  using _scope = gpu.scope();
  const five = full(gpu, [5], 1);
  const { statistics } = batchNorm(fromArray(gpu, toF32(x), x.shape), five, five);
  assertEquals([statistics.mean.shape, statistics.variance.shape], [[5], [5]]);
  const found = await Promise.all([statistics.mean.readF32(), statistics.variance.readF32()]);
  assertClose(found[0], mean, { relative: 1e-6 });
  assertClose(found[1], variance, { relative: 1e-6 });
});

gpuTest("batchNorm leaves no bytes behind and refuses what does not fit", async (gpu) => {
  await flat(gpu, () => {
    using _scope = gpu.scope();
    const x = full(gpu, [3, 5], 1).requireGrad();
    const gamma = full(gpu, [5], 1).requireGrad();
    const { output } = batchNorm(x, gamma, zeros(gpu, [5]));
    gradients(output, [x, gamma], { seed: full(gpu, [3, 5], 1) });
  });
  using _scope = gpu.scope();
  const x = full(gpu, [3, 5], 1);
  const five = full(gpu, [5], 1);
  assertThrows(() => batchNorm(scalar(gpu, 1), five, five), ShapeError, "batchNorm");
  assertThrows(() => batchNorm(x, full(gpu, [3], 1), five), ShapeError, "gamma");
  const statistics = { mean: five, variance: full(gpu, [1, 5], 1) };
  assertThrows(() => batchNorm(x, five, five, { statistics }), ShapeError, "variance");
  assertThrows(() => batchNorm(x, five, five, { eps: -1 }), RangeError, "eps");
});
