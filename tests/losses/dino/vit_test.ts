import { assert, assertEquals, assertThrows } from "@std/assert";
import { DinoVit, type VitConfig } from "../../../src/losses/mod.ts";
import { add, mul, sum } from "../../../src/ops/mod.ts";
import { fromArray, gradients, Random, ShapeError, zeros } from "../../../src/tensor/mod.ts";
import { assertClose } from "../../support/compare.ts";
import { dot } from "../../support/finite_differences.ts";
import { flat, gpuTest } from "../../support/gpu.ts";
import { Random as Numbers } from "../../support/random.ts";

const TINY: VitConfig = {
  imageSize: 12,
  patchSize: 4,
  width: 6,
  heads: 2,
  depth: 3,
  readouts: [0, 2],
};
const SHAPE = [2, 12, 12, 3];

gpuTest("DinoVit: the gradient at the image is that of finite differences", async (gpu) => {
  using vit = new DinoVit(gpu, TINY);
  vit.parameters.initialize(new Random(3));
  const numbers = new Numbers(4);
  const image = new Float32Array(numbers.uniform(SHAPE).data);
  const direction = numbers.uniform(SHAPE).data;
  const cotangents = [0, 1, 2].map(() => new Float32Array(numbers.uniform([2, 9, 6]).data));
  const readouts = (by: number) => {
    using _scope = gpu.scope();
    const moved = image.map((pixel, i) => pixel + by * direction[i]);
    return Promise.all(vit.forward(fromArray(gpu, moved, SHAPE)).map((x) => x.readF32()));
  };
  const value = async (by: number) =>
    (await readouts(by)).reduce((total, x, i) => total + dot(x, cotangents[i]), 0);
  const gradient = await flat(gpu, () => {
    using _scope = gpu.scope();
    const input = fromArray(gpu, image, SHAPE).requireGrad();
    const parts = vit.forward(input)
      .map((x, i) => sum(mul(x, fromArray(gpu, cotangents[i], [2, 9, 6]))));
    return gradients(parts.reduce((a, b) => add(a, b)), [input])[0].readF32();
  });
  const found = dot(gradient, direction);
  const step = 1e-2;
  const expected = (await value(step) - await value(-step)) / (2 * step);
  assertClose([found], [expected], { relative: 2e-3 });
});

gpuTest("DinoVit: frozen; wrong sizes are refused by name", (gpu) => {
  using vit = new DinoVit(gpu, TINY);
  vit.parameters.initialize(new Random(3));
  assert([...vit.parameters].every(({ tensor }) => !tensor.requiresGrad));
  using _scope = gpu.scope();
  assertThrows(() => vit.forward(zeros(gpu, [1, 8, 12, 3])), ShapeError, "[B, 12, 12, 3]");
});

gpuTest(
  "DinoVit.load: the k part of every qkv bias becomes zero, the rest is kept",
  async (gpu) => {
    const source = {
      file: "ones",
      has: () => true,
      floats: (_name: string, shape: readonly number[]) =>
        Promise.resolve(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1)),
    };
    using vit = await DinoVit.load(gpu, source, TINY);
    for (const { name, data } of await vit.parameters.weights()) {
      const isKey = (i: number) => name.endsWith("qkv.bias") && i >= 6 && i < 12;
      assertEquals(data, data.map((_, i) => isKey(i) ? 0 : 1), name);
    }
  },
);
