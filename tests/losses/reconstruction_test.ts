import { reconstructionLosses } from "../../src/losses/mod.ts";
import { add, affine } from "../../src/ops/mod.ts";
import { fromArray, gradients } from "../../src/tensor/mod.ts";
import { assertClose } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";

gpuTest("reconstructionLosses: values and gradients by their definitions", async (gpu) => {
  const random = new Random(2);
  const shape = [2, 5, 7, 3];
  const [x, y] = [random.uniform(shape), random.uniform(shape)];
  const size = x.data.length;
  const difference = y.data.map((value, i) => value - x.data[i]);
  const found = await flat(gpu, () => {
    using _scope = gpu.scope();
    const image = fromArray(gpu, new Float32Array(x.data), shape);
    const output = fromArray(gpu, new Float32Array(y.data), shape).requireGrad();
    const { l1, l2 } = reconstructionLosses(output, image);
    const reads = [l1.readF32(), l2.readF32()];
    const [gradient] = gradients(add(affine(l1, 0.2, 0), l2), [output]);
    return [...reads, gradient.readF32()];
  });
  const [l1, l2, gradient] = await Promise.all(found);
  const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / size;
  assertClose(l1, [mean(difference.map(Math.abs))], { relative: 1e-6 });
  assertClose(l2, [mean(difference.map((d) => d * d))], { relative: 1e-6 });
  const expected = difference.map((d) => (0.2 * Math.sign(d) + 2 * d) / size);
  assertClose(gradient, expected, { relative: 1e-5 });
});
