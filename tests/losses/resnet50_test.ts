import { assertEquals, assertThrows } from "@std/assert";
import { ResNet50, ResnetPerceptual } from "../../src/losses/mod.ts";
import type { WeightSource } from "../../src/nn/mod.ts";
import { full, gradients, ShapeError } from "../../src/tensor/mod.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import type { NDArray } from "../support/reference.ts";

const SMALL = { stem: 4, blocks: [2, 1], channels: [3, 4] };

/** Keras' weights by name, drawn when first asked for. */
class RandomWeights implements WeightSource {
  readonly file = "random weights";
  readonly #values = new Map<string, NDArray>();

  has(): boolean {
    return true;
  }

  get(name: string, shape: readonly number[]): NDArray {
    const known = this.#values.get(name);
    if (known) return known;
    const random = new Random(this.#values.size + 1);
    const isPositive = /gamma|variance/.test(name);
    const fanIn = shape.slice(0, 3).reduce((product, n) => product * n, 1);
    const bound = shape.length === 4 ? Math.sqrt(6 / fanIn) : 0.3;
    const drawn = isPositive
      ? random.uniform(shape, 0.5, 1.5)
      : random.uniform(shape, -bound, bound);
    this.#values.set(name, drawn);
    return drawn;
  }

  floats(name: string, shape: readonly number[]): Promise<Float32Array> {
    return Promise.resolve(reference.toF32(this.get(name, shape)));
  }
}

/** A convolution with its batch norm as two layers, the way Keras runs them. */
function layer(weights: RandomWeights, name: string, options: reference.Conv2dOptions) {
  return (x: NDArray, [size, output]: [number, number]): NDArray => {
    const kernel = weights.get(`${name}_conv/kernel`, [size, size, x.shape[3], output]);
    const y = reference.conv2d(x, kernel, weights.get(`${name}_conv/bias`, [output]), options);
    const [gamma, beta, mean, variance] = ["gamma", "beta", "moving_mean", "moving_variance"]
      .map((part) => weights.get(`${name}_bn/${part}`, [output]));
    const deviation = reference.map(variance, (v) => Math.sqrt(v + 1.001e-5));
    const normed = reference.div(reference.sub(y, mean), deviation);
    return reference.add(reference.mul(normed, gamma), beta);
  };
}

/** The stages' features of images in [-1, 1], blue first and without the mean as Keras takes them. */
function referenceFeatures(image: NDArray, weights: RandomWeights): NDArray[] {
  const bytes = reference.map(image, (v) => v * 127.5 + 127.5);
  const bgr = reference.build(
    image.shape,
    ([n, y, x, c]) => reference.at(bytes, [n, y, x, 2 - c]) - [103.939, 116.779, 123.68][c],
  );
  const stem = layer(weights, "conv1", { stride: 2, padding: 3 })(bgr, [7, SMALL.stem]);
  let x = reference.maxPool2d(reference.relu(stem), { kernel: 3, stride: 2, padding: 1 });
  return SMALL.blocks.map((count, stage) => {
    for (let block = 0; block < count; block++) {
      const name = `conv${stage + 2}_block${block + 1}`;
      const stride = stage > 0 && block === 0 ? 2 : 1;
      const inner = SMALL.channels[stage];
      let y = reference.relu(layer(weights, `${name}_1`, { stride })(x, [1, inner]));
      y = reference.relu(layer(weights, `${name}_2`, { padding: 1 })(y, [3, inner]));
      y = layer(weights, `${name}_3`, {})(y, [1, 4 * inner]);
      const beside = block > 0 ? x : layer(weights, `${name}_0`, { stride })(x, [1, 4 * inner]);
      x = reference.relu(reference.add(y, beside));
    }
    return x;
  });
}

function referenceDistances([found, image]: NDArray[], weights: RandomWeights): NDArray {
  const [a, b] = [found, image].map((x) =>
    referenceFeatures(x, weights).map((features) => {
      const squares = reference.sum(reference.square(features), { axes: [3], keepDims: true });
      return reference.div(features, reference.map(squares, (v) => Math.sqrt(v) + 1e-10));
    })
  );
  const stages = a.map((features, i) => {
    const difference = reference.square(reference.sub(features, b[i]));
    return reference.mean(reference.sum(difference, { axes: [3] }), { axes: [1, 2] });
  });
  const total = stages.reduce((sum, stage) => reference.add(sum, stage));
  return reference.map(total, (v) => v / stages.length);
}

for (const shape of [[2, 16, 16, 3], [1, 13, 21, 3]]) {
  gpuTest(`ResnetPerceptual of [${shape}]: float64 and finite differences`, async (gpu) => {
    using perceptual = new ResnetPerceptual(new ResNet50(gpu, SMALL));
    const weights = new RandomWeights();
    await perceptual.resnet.load(weights);
    const random = new Random(5);
    await gradcheck({
      name: `ResnetPerceptual of [${shape}]`,
      inputs: [random.uniform(shape), random.uniform(shape)],
      op: ([found, image]) => perceptual.distances(found, image),
      reference: (images) => referenceDistances(images, weights),
      coordinates: 24,
      step: 1e-6, // a larger one steps over kinks of ReLUs and poolings
      forward: 1e-5,
      tolerance: 1e-4,
    });
  });
}

gpuTest("ResNet50: the pooled features are the means of the last ones", async (gpu) => {
  using resnet = new ResNet50(gpu, SMALL);
  const weights = new RandomWeights();
  await resnet.load(weights);
  await gradcheck({
    name: "ResNet50.pooled",
    inputs: [new Random(7).uniform([2, 9, 17, 3])],
    op: ([image]) => resnet.pooled(image),
    reference: ([image]) =>
      reference.mean(referenceFeatures(image, weights).at(-1)!, { axes: [1, 2] }),
    coordinates: 8,
    step: 1e-6,
    forward: 1e-5,
    tolerance: 1e-4,
  });
});

gpuTest(
  "ResnetPerceptual: 0 of equal images; memory is flat, and disposal frees all",
  async (gpu) => {
    const weights = new RandomWeights();
    await flat(gpu, async () => {
      using perceptual = new ResnetPerceptual(new ResNet50(gpu, SMALL));
      await perceptual.resnet.load(weights);
      const loss = await flat(gpu, () => {
        using _scope = gpu.scope();
        const image = full(gpu, [2, 16, 16, 3], 0.5).requireGrad();
        const loss = perceptual.loss(image, full(gpu, [2, 16, 16, 3], 0.5));
        gradients(loss, [image]);
        return loss.readF32();
      });
      assertEquals([...loss], [0]);
    });
  },
);

gpuTest("ResNet50 refuses what is no image", (gpu) => {
  using _scope = gpu.scope();
  using perceptual = new ResnetPerceptual(new ResNet50(gpu, SMALL));
  const of = (...shape: number[]) => full(gpu, shape, 0);
  assertThrows(() => perceptual.resnet.features(of(1, 8, 8, 4)), ShapeError, "[N, H, W, 3]");
  assertThrows(() => perceptual.resnet.pooled(of(8, 8, 3)), ShapeError, "[N, H, W, 3]");
  const [small, large] = [of(1, 8, 8, 3), of(1, 9, 8, 3)];
  assertThrows(() => perceptual.loss(small, large), ShapeError, "one shape");
});
