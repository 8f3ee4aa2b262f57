import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Gpu } from "../../src/gpu/mod.ts";
import { discriminatorLoss, generatorLoss, reconstructionLosses } from "../../src/losses/mod.ts";
import type { Parameters } from "../../src/nn/mod.ts";
import { add, affine, div, mul, sqrt, square, stopGradient, sum } from "../../src/ops/mod.ts";
import { fromArray, gradients, type Tensor } from "../../src/tensor/mod.ts";
import { lastLayer } from "../../src/train/last_layer.ts";
import {
  Adaptation,
  type AdaptedModel,
  type Critics,
  defaultRecipe,
  type Recipe,
} from "../../src/train/mod.ts";
import { assertClose } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import { CRITIC_SIZE, tinyCritics } from "./critics.ts";
import { tinyModel } from "./tiny.ts";

const STEPS = 8;
/** Of the step whose gradients are looked at: there the ramp is a half. */
const MIDDLE = STEPS / 2;

function images(gpu: Gpu, seed: number, size = CRITIC_SIZE): Tensor {
  const shape = [2, size, size, 3];
  return fromArray(gpu, new Float32Array(new Random(seed).uniform(shape).data), shape);
}

function recipe(changes: Partial<Recipe> = {}): Recipe {
  return { ...defaultRecipe(STEPS), lr: 1e-3, samplePosterior: false, ...changes };
}

gpuTest(
  "a step's losses and gradients are those of one graph through all networks",
  async (gpu) => {
    using model = tinyModel(gpu);
    using batch = images(gpu, 1);
    const expected = await (async () => {
      using critics = tinyCritics(gpu);
      return await writtenOut(model, critics, batch);
    })();
    using critics = tinyCritics(gpu);
    using adaptation = new Adaptation(model, recipe(), critics);
    adaptation.resume(MIDDLE);
    using result = adaptation.jointStep(batch);
    const { numbers } = await result.read();
    for (const [name, value] of Object.entries(expected)) {
      assertClose([numbers[name]], [value], { relative: 2e-4, name });
    }
    const { l1, l2, lpips, g, vq, entropy, adaptiveWeight, total } = numbers;
    const sum = 0.2 * l1 + l2 + lpips + 0.5 * adaptiveWeight * g + vq + 0.05 * entropy;
    assertClose([total], [sum], { relative: 1e-5 });
    for (const share of [numbers.accReal, numbers.accFake]) assert(share >= 0 && share <= 1);
  },
);

/** SPEC section 5, without a thought for memory. */
async function writtenOut(
  { vae, quantizer, lora }: AdaptedModel,
  { perceptual, discriminator }: Required<Critics>,
  batch: Tensor,
): Promise<Record<string, number>> {
  const tensorsOf = (set: Parameters) => [...set].map(({ tensor }) => tensor.requireGrad());
  const generator = [quantizer, lora].flatMap(({ parameters }) => tensorsOf(parameters));
  const heads = tensorsOf(discriminator.parameters);
  const pending = (() => {
    using _scope = batch.gpu.scope();
    const { fHat, vqLoss, entropyLoss } = quantizer.forward(
      vae.scaleLatent(vae.encode(batch).mean),
    );
    const found = vae.decode(vae.unscaleLatent(fHat));
    const { l1, l2 } = reconstructionLosses(found, batch);
    const pixels = add(add(affine(l1, 0.2, 0), l2), perceptual.loss(found, batch));
    const g = generatorLoss(discriminator.forward(found));
    const last = lastLayer({ vae, quantizer, lora });
    const [ofPixels, ofG] = [pixels, g].map((loss) =>
      normOf(gradients(loss, [last], { retain: true }))
    );
    const adaptiveWeight = div(ofPixels, affine(ofG, 1, 1e-6));
    const adversarial = affine(mul(stopGradient(adaptiveWeight), g), 0.5, 0);
    const total = add(add(pixels, adversarial), add(vqLoss, affine(entropyLoss, 0.05, 0)));
    const gradNorm = normOf(gradients(total, generator));
    const real = discriminator.forward(batch);
    const d = discriminatorLoss(real, discriminator.forward(stopGradient(found)));
    const discGradNorm = normOf(gradients(d, heads));
    return Object.entries({ adaptiveWeight, g, total, gradNorm, d, discGradNorm })
      .map(([name, tensor]) => [name, tensor.item()] as const);
  })();
  const values = await Promise.all(pending.map(([, value]) => value));
  return Object.fromEntries(pending.map(([name], i) => [name, values[i]]));
}

function normOf(found: readonly Tensor[]): Tensor {
  return sqrt(found.map((gradient) => sum(square(gradient))).reduce((a, b) => add(a, b)));
}

gpuTest(
  "with all critics replayed steps give the bytes of steps done anew, crops too",
  async (gpu) => {
    const run = async (isReplayed: boolean) => {
      using model = tinyModel(gpu);
      using critics = tinyCritics(gpu);
      using adaptation = new Adaptation(model, recipe({ samplePosterior: true }), critics);
      const reports = [];
      let live: number | undefined;
      while (adaptation.step < adaptation.total) {
        if (!isReplayed) gpu.trim();
        using batch = images(gpu, adaptation.step, CRITIC_SIZE + 4);
        using result = adaptation.jointStep(batch);
        reports.push(await result.read());
        assertEquals(gpu.memory.live, live ??= gpu.memory.live);
      }
      const weights = await Promise.all(
        adaptation.state.map(({ parameters }) => parameters.weights()),
      );
      return { reports, weights };
    };
    await flat(gpu, async () => assertEquals(await run(true), await run(false)));
  },
);

gpuTest("the discriminator learns beside the generator, each clipped by itself", async (gpu) => {
  using model = tinyModel(gpu);
  using critics = tinyCritics(gpu);
  using adaptation = new Adaptation(model, recipe(), critics);
  const { discriminator } = critics;
  const before = await discriminator.parameters.weights();
  const buffers = await discriminator.buffers.weights();
  using batch = images(gpu, 2);
  const first = await (async () => {
    using result = adaptation.jointStep(batch);
    return (await result.read()).numbers;
  })();
  for (const [i, { name, data }] of (await discriminator.parameters.weights()).entries()) {
    assert(data.some((value, at) => value !== before[i].data[at]), name);
  }
  for (const [i, { name, data }] of (await discriminator.buffers.weights()).entries()) {
    if (data.length > 1) assert(data.some((value, at) => value !== buffers[i].data[at]), name);
  }
  for (let i = 0; i < 5; i++) adaptation.jointStep(batch)[Symbol.dispose]();
  using result = adaptation.jointStep(batch);
  const { numbers } = await result.read();
  assert(numbers.d < first.d, `from ${first.d} to ${numbers.d}`);
});

gpuTest("a continuous VAE is trained whole, by the divergence of its latent", async (gpu) => {
  using model = tinyModel(gpu);
  const { vae } = model;
  for (const conv of vae.convs) conv.lora = undefined;
  using critics = tinyCritics(gpu);
  using adaptation = new Adaptation(
    { vae, trainsVae: true },
    recipe({ samplePosterior: true }),
    critics,
  );
  assertEquals(adaptation.sets.map(({ name }) => name), ["vae", "discriminator"]);
  using batch = images(gpu, 3);
  using result = adaptation.jointStep(batch);
  const { numbers, indices } = await result.read();
  const { l1, l2, lpips, kl, total } = numbers; // in the first step the ramp is 0
  assertClose([total], [0.2 * l1 + l2 + lpips + 1e-6 * kl], { relative: 1e-5 });
  assert(kl > 0 && numbers.vq === undefined && indices.length === 0);
});

gpuTest("lastLayer: the official choice by name, and nothing where nothing is trained", (gpu) => {
  using model = tinyModel(gpu); // its targets are conv1 and upsample
  const { vae } = model;
  const conv = (name: string) => vae.convs.find((conv) => conv.name === name)!;
  assertEquals(lastLayer(model), conv("decoder.up.1.upsample.conv").lora!.up);
  const upsample = conv("decoder.up.1.upsample.conv");
  upsample.lora = undefined;
  assertEquals(lastLayer(model), conv("decoder.up.0.block.1.conv1").lora!.up);
  assertEquals(lastLayer({ vae, trainsVae: true }), conv("decoder.conv_out").weight);
  for (const conv of vae.convs) conv.lora = undefined;
  assertThrows(() => lastLayer({ vae }), TypeError, "nothing of the decoder");
});
