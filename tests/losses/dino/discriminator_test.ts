import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { DinoDiscriminator, DinoVit } from "../../../src/losses/mod.ts";
import type { Gpu } from "../../../src/gpu/mod.ts";
import type { Weights } from "../../../src/nn/mod.ts";
import { mul, sum } from "../../../src/ops/mod.ts";
import { fromArray, gradients, Random, ShapeError, zeros } from "../../../src/tensor/mod.ts";
import { assertClose } from "../../support/compare.ts";
import { dot } from "../../support/finite_differences.ts";
import { flat, gpuTest } from "../../support/gpu.ts";
import { Random as Numbers } from "../../support/random.ts";

const SHAPE = [2, 12, 12, 3];
const LOGITS = [2, 18];
const numbers = new Numbers(6);
const image = new Float32Array(numbers.uniform(SHAPE).data);
const cotangent = new Float32Array(numbers.uniform(LOGITS).data);

function tiny(gpu: Gpu): DinoVit {
  const config = { imageSize: 12, patchSize: 4, width: 6, heads: 2, depth: 1, readouts: [0] };
  const vit = new DinoVit(gpu, config);
  vit.parameters.initialize(new Random(3));
  return vit;
}

function initialized(vit: DinoVit): DinoDiscriminator {
  const model = new DinoDiscriminator(vit);
  model.initialize(new Random(5));
  return model;
}

function logitsOf(
  model: DinoDiscriminator,
  training: boolean,
  pixels = image,
): Promise<Float32Array> {
  const { gpu } = model.parameters;
  using _scope = gpu.scope();
  return model.forward(fromArray(gpu, pixels, SHAPE), { training }).readF32();
}

function sourceOf(weights: Weights[]) {
  const found = new Map(weights.map(({ name, data }) => [name, data]));
  return {
    file: "state",
    has: (name: string) => found.has(name),
    floats: (name: string) => Promise.resolve(found.get(name)!),
  };
}

gpuTest("DinoDiscriminator: evaluation keeps its state, training moves all of it", async (gpu) => {
  using vit = tiny(gpu);
  using model = initialized(vit);
  const before = await model.buffers.weights();
  const first = await logitsOf(model, false);
  assertEquals(await logitsOf(model, false), first);
  assertEquals(await model.buffers.weights(), before);
  const trained = await logitsOf(model, true);
  assertNotEquals(trained, first);
  const after = await model.buffers.weights();
  for (const [i, { name, data }] of after.entries()) {
    if (data.length > 1) assertNotEquals(data, before[i].data, name); // a single number's unit vector is its sign
  }
});

gpuTest("DinoDiscriminator: goes on from its saved state with the same bits", async (gpu) => {
  using vit = tiny(gpu);
  using model = initialized(vit);
  await logitsOf(model, true);
  const state = [...await model.parameters.weights(), ...await model.buffers.weights()];
  using other = new DinoDiscriminator(vit);
  await other.load(sourceOf(state));
  for (const training of [false, true, true, false]) {
    assertEquals(await logitsOf(other, training), await logitsOf(model, training));
  }
});

gpuTest("DinoDiscriminator: the gradient at the image in training", async (gpu) => {
  using vit = tiny(gpu);
  using model = initialized(vit);
  const buffers = await model.buffers.weights();
  const gradient = await flat(gpu, () => {
    using _scope = gpu.scope();
    const input = fromArray(gpu, image, SHAPE).requireGrad();
    const loss = sum(mul(model.forward(input), fromArray(gpu, cotangent, LOGITS)));
    return gradients(loss, [input])[0].readF32();
  });
  const direction = numbers.uniform(SHAPE).data;
  const value = async (by: number) => {
    await model.buffers.load(sourceOf(buffers));
    const moved = image.map((pixel, i) => pixel + by * direction[i]);
    return dot(await logitsOf(model, true, moved), cotangent);
  };
  const step = 1e-3;
  const expected = (await value(step) - await value(-step)) / (2 * step);
  assertClose([dot(gradient, direction)], [expected], { relative: 2e-2 });
});

gpuTest(
  "DinoDiscriminator: the gradients at its parameters, through the spectral norm",
  async (gpu) => {
    using vit = tiny(gpu);
    using model = initialized(vit);
    for (let i = 0; i < 3; i++) await logitsOf(model, true);
    const weights = await model.parameters.weights();
    for (const { tensor } of model.parameters) tensor.requireGrad();
    const found = await flat(gpu, () => {
      using _scope = gpu.scope();
      const logits = model.forward(fromArray(gpu, image, SHAPE), { training: false });
      const loss = sum(mul(logits, fromArray(gpu, cotangent, LOGITS)));
      const tensors = [...model.parameters].map(({ tensor }) => tensor);
      return Promise.all(gradients(loss, tensors).map((gradient) => gradient.readF32()));
    });
    for (const [i, { name, data, shape }] of weights.entries()) {
      const direction = numbers.uniform(shape).data;
      const value = async (by: number) => {
        model.parameters.set(name, data.map((weight, at) => weight + by * direction[at]));
        return dot(await logitsOf(model, false), cotangent);
      };
      const step = name.endsWith("weight_orig") ? 1e-4 : 1e-3;
      const expected = (await value(step) - await value(-step)) / (2 * step);
      model.parameters.set(name, data);
      assertClose([dot(found[i], direction)], [expected], { relative: 3e-2, floor: 0.1, name });
    }
  },
);

gpuTest("DinoDiscriminator: images without three channels are refused", (gpu) => {
  using vit = tiny(gpu);
  using model = initialized(vit);
  using _scope = gpu.scope();
  assertThrows(() => model.forward(zeros(gpu, [1, 12, 12, 4])), ShapeError, "[B, H, W, 3]");
  assert([...vit.parameters].every(({ tensor }) => !tensor.requiresGrad));
});

gpuTest("DinoDiscriminator: a single token has no batch statistics", (gpu) => {
  const config = { imageSize: 4, patchSize: 4, width: 6, heads: 2, depth: 1, readouts: [0] };
  using vit = new DinoVit(gpu, config);
  vit.parameters.initialize(new Random(3));
  using model = initialized(vit);
  using _scope = gpu.scope();
  const single = zeros(gpu, [1, 4, 4, 3]);
  assertThrows(() => model.forward(single), RangeError, "one value per channel");
});
