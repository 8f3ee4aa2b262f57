import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { CheckpointError, SafetensorsFile, writeSafetensors } from "../../src/checkpoint/mod.ts";
import { Lpips, Vgg16 } from "../../src/losses/mod.ts";
import { affine } from "../../src/ops/mod.ts";
import type { Parameters, WeightSource } from "../../src/nn/mod.ts";
import {
  fromArray,
  full,
  gradients,
  Replays,
  ShapeError,
  type Tensor,
} from "../../src/tensor/mod.ts";
import { assertBits, assertClose } from "../support/compare.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { nd, type NDArray } from "../support/reference.ts";

const CHANNELS = [4, 3, 5, 6, 8];

/** Weights by name, drawn when first asked for: the file's layout and float32 numbers. */
class RandomWeights implements WeightSource {
  readonly file = "random weights";
  readonly #values = new Map<string, NDArray>();

  has(): boolean {
    return true;
  }

  floats(name: string, shape: readonly number[]): Promise<Float32Array> {
    const bound = name.startsWith("lin") ? 1 : Math.sqrt(6 / (shape[1] * 9 || 600));
    const low = name.startsWith("lin") ? 0 : -bound;
    const drawn = new Random(this.#values.size + 1).uniform(shape, low, bound);
    const values = Float32Array.from(drawn.data);
    this.#values.set(name, nd(shape, values));
    return Promise.resolve(values);
  }

  /** A convolution's weight as the reference takes it, [height, width, in, out]; a bias as it is. */
  get(name: string): NDArray {
    const values = this.#values.get(name)!;
    return values.shape.length === 4 ? reference.permute(values, [2, 3, 1, 0]) : values;
  }
}

/** The features after relu1_2, 2_2, 3_3, 4_3 and 5_3, each scaled to length 1 over the channels. */
function referenceFeatures(image: NDArray, weights: RandomWeights): NDArray[] {
  const shift = nd([3], [-0.030, -0.088, -0.188]);
  const scale = nd([3], [0.458, 0.448, 0.450]);
  let x = reference.div(reference.sub(image, shift), scale);
  return [[0, 2], [5, 7], [10, 12, 14], [17, 19, 21], [24, 26, 28]].map((stage, i) => {
    if (i > 0) x = reference.maxPool2d(x, { kernel: 2 });
    for (const index of stage) {
      const [weight, bias] = ["weight", "bias"].map((w) => weights.get(`features.${index}.${w}`));
      x = reference.relu(reference.conv2d(x, weight, bias, { padding: 1 }));
    }
    const squares = reference.sum(reference.square(x), { axes: [3], keepDims: true });
    return reference.div(x, reference.map(squares, (v) => Math.sqrt(v) + 1e-10));
  });
}

function referenceDistances([found, image]: NDArray[], weights: RandomWeights): NDArray {
  const [a, b] = [found, image].map((x) => referenceFeatures(x, weights));
  return a.map((features, i) => {
    const difference = reference.square(reference.sub(features, b[i]));
    const weighted = reference.conv2d(difference, weights.get(`lin${i}.model.1.weight`), null);
    return reference.mean(weighted, { axes: [1, 2, 3] });
  }).reduce((total, part) => reference.add(total, part));
}

for (const shape of [[2, 16, 16, 3], [1, 19, 33, 3]]) {
  gpuTest(`Lpips of [${shape}]: float64 and finite differences`, async (gpu) => {
    using lpips = new Lpips(gpu, CHANNELS);
    const weights = new RandomWeights();
    await lpips.load({ vgg: weights, lin: weights });
    const random = new Random(5);
    await gradcheck({
      name: `Lpips of [${shape}]`,
      inputs: [random.uniform(shape), random.uniform(shape)],
      op: ([found, image]) => lpips.distances(found, image),
      reference: (images) => referenceDistances(images, weights),
      coordinates: 24,
      step: 1e-6, // a larger one steps over kinks of ReLUs and poolings
      forward: 1e-5,
      tolerance: 1e-4,
    });
  });
}

gpuTest("Lpips: the loss is the mean of the distances, 0 of equal images", async (gpu) => {
  using lpips = new Lpips(gpu, CHANNELS);
  const weights = new RandomWeights();
  await lpips.load({ vgg: weights, lin: weights });
  const random = new Random(6);
  const shape = [3, 16, 16, 3];
  const data = [random.uniform(shape), random.uniform(shape)].map((x) => reference.toF32(x));
  const pending = flat(gpu, () => {
    using _scope = gpu.scope();
    const [found, image] = data.map((values) => fromArray(gpu, values, shape));
    const all = [
      lpips.loss(found, image),
      lpips.distances(found, image),
      lpips.loss(image, image),
    ];
    return all.map((tensor) => tensor.readF32());
  });
  const [loss, distances, none] = await Promise.all(await pending);
  assertEquals(distances.length, 3);
  assertClose(loss, [distances.reduce((total, value) => total + value) / 3], { relative: 1e-6 });
  assertEquals([...none], [0]);
});

gpuTest("Lpips: where all features are 0 the gradient is 0, not NaN", async (gpu) => {
  using lpips = new Lpips(gpu, CHANNELS);
  const fixed = (value: number): WeightSource => ({
    file: "fixed",
    has: () => true,
    floats: (name, [...shape]) =>
      Promise.resolve(
        new Float32Array(reference.sizeOf(shape)).fill(name.endsWith("bias") ? -1 : value),
      ),
  });
  await lpips.load({ vgg: fixed(0), lin: fixed(1) });
  const read = (() => {
    using _scope = gpu.scope();
    const found = full(gpu, [1, 16, 16, 3], 0.5).requireGrad();
    const loss = lpips.loss(found, full(gpu, [1, 16, 16, 3], -0.5));
    const [gradient] = gradients(loss, [found]);
    return [loss.readF32(), gradient.readF32()];
  })();
  const [loss, gradient] = await Promise.all(read);
  assertEquals([...loss], [0]);
  assert(gradient.every((value) => value === 0));
});

gpuTest("Lpips: memory is flat over steps, and disposal frees all", async (gpu) => {
  const weights = new RandomWeights();
  await flat(gpu, async () => {
    using lpips = new Lpips(gpu, CHANNELS);
    await lpips.load({ vgg: weights, lin: weights });
    const step = () => {
      using _scope = gpu.scope();
      const found = full(gpu, [2, 16, 16, 3], 0.5).requireGrad();
      gradients(lpips.loss(found, full(gpu, [2, 16, 16, 3], 0)), [found]);
    };
    for (let i = 0; i < 3; i++) await flat(gpu, step);
  });
});

gpuTest("Lpips: a replayed step gives the bits of the step itself", async (gpu) => {
  using lpips = new Lpips(gpu, CHANNELS);
  const weights = new RandomWeights();
  await lpips.load({ vgg: weights, lin: weights });
  using replays = new Replays(gpu);
  const shape = [2, 16, 17, 3];
  const step = ([found, image]: readonly Tensor[]) => {
    const leaf = affine(found, 1, 0).requireGrad();
    const loss = lpips.loss(leaf, image);
    return [loss, ...gradients(loss, [leaf])];
  };
  for (const seed of [1, 2, 3]) {
    const random = new Random(seed);
    const data = [random.uniform(shape), random.uniform(shape)].map((x) => reference.toF32(x));
    const pending = (() => {
      using _scope = gpu.scope();
      const images = data.map((values) => fromArray(gpu, values, shape));
      const all = [...step(images), ...replays.run("lpips", images, step)];
      return all.map((tensor) => tensor.readF32());
    })();
    const [loss, gradient, replayedLoss, replayedGradient] = await Promise.all(pending);
    assertBits(replayedLoss, loss);
    assertBits(replayedGradient, gradient);
  }
});

async function withFile(
  parameters: Parameters,
  leftOut: string,
  work: (file: SafetensorsFile) => Promise<void>,
): Promise<void> {
  const path = await Deno.makeTempFile({ suffix: ".safetensors" });
  try {
    const tensors = [...parameters].filter(({ name }) => name !== leftOut)
      .map(({ name, shape }) => ({ name, shape, data: new Float32Array(reference.sizeOf(shape)) }));
    await writeSafetensors(path, tensors);
    using file = await SafetensorsFile.open(path);
    await work(file);
  } finally {
    await Deno.remove(path);
  }
}

gpuTest("Lpips: a missing weight is named, and nothing is left on the GPU", async (gpu) => {
  await flat(gpu, async () => {
    using narrow = new Lpips(gpu, CHANNELS);
    const weights = new RandomWeights();
    await withFile(narrow.parameters, "lin3.model.1.weight", async (lin) => {
      const load = () => narrow.load({ vgg: weights, lin });
      await assertRejects(load, CheckpointError, "lin3.model.1.weight");
    });
    await withFile(narrow.vgg.parameters, "features.17.bias", async (vgg) => {
      const load = () => narrow.load({ vgg, lin: weights });
      await assertRejects(load, CheckpointError, "features.17.bias");
      // A whole VGG16 does not take a narrow one's weights, and its memory is freed.
      await assertRejects(() => Vgg16.load(gpu, vgg), CheckpointError, "features.0.weight");
      await assertRejects(() => Lpips.load(gpu, { vgg, lin: vgg }), CheckpointError, "lin0");
    });
  });
});

gpuTest("Lpips refuses what does not fit", (gpu) => {
  using _scope = gpu.scope();
  using lpips = new Lpips(gpu, CHANNELS);
  const of = (...shape: number[]) => full(gpu, shape, 0);
  const image = of(1, 16, 16, 3);
  assertThrows(() => lpips.distances(of(2, 16, 16, 3), image), ShapeError, "one shape");
  for (const wrong of [of(1, 15, 16, 3), of(1, 16, 16, 4), of(16, 16, 3)]) {
    assertThrows(() => lpips.loss(wrong, wrong), ShapeError, "[N, H, W, 3]");
  }
  assertThrows(() => new Vgg16(gpu, [64, 128]), ShapeError, "5 stages");
});
