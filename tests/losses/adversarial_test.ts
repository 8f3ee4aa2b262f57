import { discriminatorLoss, generatorLoss } from "../../src/losses/mod.ts";
import { fromArray, gradients } from "../../src/tensor/mod.ts";
import { assertClose } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";

gpuTest("hinge losses: values and gradients by their definitions", async (gpu) => {
  const found = await flat(gpu, () => {
    using _scope = gpu.scope();
    const real = fromArray(gpu, [2, 0.5, -1], [1, 3]).requireGrad();
    const fake = fromArray(gpu, [-3, 0.25, 1, -0.5], [2, 2]).requireGrad();
    const [generator, discriminator] = [generatorLoss(fake), discriminatorLoss(real, fake)];
    const reads = [generator.readF32(), discriminator.readF32()];
    const byGenerator = gradients(generator, [fake]);
    const byDiscriminator = gradients(discriminator, [real, fake]);
    return Promise.all([
      ...reads,
      ...[...byGenerator, ...byDiscriminator].map((gradient) => gradient.readF32()),
    ]);
  });
  const expected = [
    [2.25 / 4],
    [0.5 * (2.5 / 3 + 3.75 / 4)],
    [-1 / 4, -1 / 4, -1 / 4, -1 / 4],
    [0, -1 / 6, -1 / 6],
    [0, 1 / 8, 1 / 8, 1 / 8],
  ];
  found.forEach((values, i) => assertClose(values, expected[i], { relative: 1e-6 }));
});
