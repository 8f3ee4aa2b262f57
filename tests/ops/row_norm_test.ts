import { assertThrows } from "@std/assert";
import { layerNorm, rmsNorm } from "../../src/ops/mod.ts";
import {
  fromArray,
  full,
  gradients,
  scalar,
  ShapeError,
  type Tensor,
  zeros,
} from "../../src/tensor/mod.ts";
import { assertClose, assertSame, assertTensorClose } from "../support/compare.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { type NDArray, toF32 } from "../support/reference.ts";
import { torchcheck } from "../support/torchcheck.ts";

const eps = 1e-2; // a row of one element has slopes near eps: the difference of terms near 1

interface Case {
  name: string;
  parameters: number;
  op: (inputs: Tensor[], options?: { eps?: number }) => Tensor;
  reference: (inputs: NDArray[], options: { eps: number }) => NDArray;
}

const cases: Case[] = [
  {
    name: "layerNorm",
    parameters: 2,
    op: ([x, gamma, beta], options) => layerNorm(x, gamma, beta, options),
    reference: ([x, gamma, beta], options) => reference.layerNorm(x, gamma, beta, options),
  },
  {
    name: "rmsNorm",
    parameters: 1,
    op: ([x, gamma], options) => rmsNorm(x, gamma, options),
    reference: ([x, gamma], options) => reference.rmsNorm(x, gamma, options),
  },
];

for (const { name, parameters, op, reference: expected } of cases) {
  for (const shape of [[1], [3, 1], [5, 3], [2, 3, 7], [33, 33], [130, 4], [3, 260], [2, 1025]]) {
    gpuTest(`${name} [${shape}]: float64 and finite differences`, async () => {
      const random = new Random(shape.length);
      const width = shape[shape.length - 1];
      const weights = [random.normal([width], 1, 0.3), random.normal([width])];
      await gradcheck({
        name: `${name} [${shape}]`,
        inputs: [random.normal(shape, 0.5, 2), ...weights.slice(0, parameters)],
        op: (inputs) => op(inputs, { eps }),
        reference: (inputs) => expected(inputs, { eps }),
        coordinates: 24,
      });
    });
  }

  gpuTest(`${name} equals PyTorch's`, () => torchcheck(name, op));

  gpuTest(`${name}: parameter gradients over 20,001 rows`, async (gpu) => {
    const x = new Random(6).normal([20001, 8], 1, 2);
    const { data } = expected([x, reference.filled([8], 1), reference.filled([8], 0)], {
      eps: 1e-5,
    });
    const dGamma = new Float64Array(8);
    data.forEach((normal, i) => dGamma[i % 8] += normal);
    using _scope = gpu.scope();
    const leaves = [full(gpu, [8], 1), zeros(gpu, [8])].slice(0, parameters);
    leaves.forEach((leaf) => leaf.requireGrad());
    const y = op([fromArray(gpu, toF32(x), x.shape), ...leaves]);
    const [gamma, beta] = gradients(y, leaves, { seed: full(gpu, y.shape, 1) });
    const reads = [y.readF32(), gamma.readF32()];
    if (beta) reads.push(beta.readF32());
    const [, foundGamma, foundBeta] = await Promise.all(reads);
    assertClose(foundGamma, dGamma, { relative: 1e-5 });
    if (foundBeta) assertSame(foundBeta, new Array(8).fill(20001));
  });

  gpuTest(`${name}: a row alone gives the bits it has among others`, async (gpu) => {
    for (const width of [5, 32, 384]) {
      const values = toF32(new Random(width).normal([11, width]));
      const run = (rows: Float32Array) => {
        using _scope = gpu.scope();
        const shape = [rows.length / width, width];
        const x = fromArray(gpu, rows, shape).requireGrad();
        const y = op([x, full(gpu, [width], 1.5), full(gpu, [width], 0.5)]);
        const [dx] = gradients(y, [x], { seed: fromArray(gpu, rows.map(Math.sin), shape) });
        return Promise.all([y.readF32(), dx.readF32()]);
      };
      const together = await run(values);
      const row = 9 * width;
      const alone = await run(values.slice(row, row + width));
      alone.forEach((found, i) => assertSame(found, together[i].subarray(row, row + width)));
    }
  });

  gpuTest(`${name} leaves no bytes behind and refuses what does not fit`, async (gpu) => {
    await flat(gpu, () => {
      using _scope = gpu.scope();
      const x = full(gpu, [3, 5], 1).requireGrad();
      const gamma = full(gpu, [5], 1).requireGrad();
      gradients(op([x, gamma, zeros(gpu, [5])]), [x, gamma], { seed: full(gpu, [3, 5], 1) });
    });
    using _scope = gpu.scope();
    const six = full(gpu, [6], 1);
    const x = full(gpu, [2, 6], 1);
    assertThrows(() => op([scalar(gpu, 1), six, six]), ShapeError, name);
    assertThrows(() => op([zeros(gpu, [0, 6]), six, six]), ShapeError, "[0, 6]");
    assertThrows(() => op([zeros(gpu, [2, 6], "u32"), six, six]), ShapeError, "found u32");
    assertThrows(() => op([x, full(gpu, [5], 1), six]), ShapeError, "gamma must be f32 [6]");
    assertThrows(() => op([x, six, six], { eps: NaN }), RangeError, "eps");
  });
}

gpuTest("layerNorm keeps its digits where the mean is 1000 times the deviation", async (gpu) => {
  const x = new Random(4).normal([7, 384], 1000, 1);
  using _scope = gpu.scope();
  const y = layerNorm(fromArray(gpu, toF32(x), x.shape), full(gpu, [384], 1), zeros(gpu, [384]));
  await assertTensorClose(y, reference.layerNorm(x, null, null), { relative: 3e-5 });
});
