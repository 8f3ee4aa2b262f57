import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Gpu } from "../../src/gpu/mod.ts";
import type { Parameters } from "../../src/nn/mod.ts";
import { slice } from "../../src/ops/mod.ts";
import { fromArray, full, ShapeError, type Tensor } from "../../src/tensor/mod.ts";
import { Adaptation, type AdaptedModel, cosineRate, defaultRecipe } from "../../src/train/mod.ts";
import { assertClose, assertSame } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import { TINY_SIZE, tinyModel } from "./tiny.ts";

function images(gpu: Gpu, seed: number): Tensor {
  const shape = [2, TINY_SIZE, TINY_SIZE, 3];
  return fromArray(gpu, new Float32Array(new Random(seed).uniform(shape).data), shape);
}

function latents(gpu: Gpu, seed: number): Tensor {
  const shape = [3, 4, 4, 4];
  return fromArray(gpu, new Float32Array(new Random(seed).normal(shape).data), shape);
}

async function values(parameters: Parameters): Promise<number[]> {
  return (await parameters.weights()).flatMap(({ data }) => [...data]);
}

/** One joint step's report. */
async function jointReport(adaptation: Adaptation, seed: number) {
  using batch = images(adaptation.model.vae.parameters.gpu, seed);
  using result = adaptation.jointStep(batch);
  return await result.read();
}

gpuTest("Adaptation: a joint step minimises 0.2 L1 + L2 + L_q + 0.05 L_e", async (gpu) => {
  using model = tinyModel(gpu);
  using adaptation = new Adaptation(model, defaultRecipe(10));
  const { numbers, indices } = await jointReport(adaptation, 1);
  const { total, l1, l2, vq, entropy } = numbers;
  assertClose([total], [0.2 * l1! + l2! + vq + 0.05 * entropy], { relative: 1e-6 });
  assertEquals(indices.map(({ length }) => length), [2, 8, 32]);
  assertEquals(adaptation.step, 1);
});

gpuTest("Adaptation: trains quantizer and LoRA, and leaves the VAE as it is", async (gpu) => {
  using model = tinyModel(gpu);
  const before = await snapshot(model);
  using adaptation = new Adaptation(model, defaultRecipe(10));
  await jointReport(adaptation, 1);
  await jointReport(adaptation, 2);
  const after = await snapshot(model);
  assertSame(after.vae, before.vae);
  // Each first step moves every value that has a gradient by about the learning rate.
  for (const set of ["quantizer", "lora"] as const) {
    const moved = after[set].filter((value, i) => Math.abs(value - before[set][i]) > 1e-5).length;
    assert(moved > before[set].length / 2, `${set}: ${moved} of ${before[set].length} moved`);
  }
});

gpuTest("Adaptation: the warm-up trains the quantizer alone, at a constant rate", async (gpu) => {
  using model = tinyModel(gpu);
  const before = await snapshot(model);
  using adaptation = new Adaptation(model, { ...defaultRecipe(4), warmupSteps: 2, lr: 1e-3 });
  assertEquals([adaptation.phase, adaptation.lr, adaptation.total], ["warmup", 1e-3, 6]);
  for (let step = 0; step < 2; step++) {
    using batch = latents(gpu, step);
    using result = adaptation.warmupStep(batch);
    const { numbers } = await result.read();
    assertClose([numbers.total], [numbers.vq + 0.05 * numbers.entropy], { relative: 1e-6 });
    assertEquals(numbers.l1, undefined);
  }
  const after = await snapshot(model);
  assertSame(after.lora, before.lora);
  assert(after.quantizer.some((value, i) => value !== before.quantizer[i]));
  assertSame(await values(adaptation.quantizer!.ema.average), after.quantizer, "averages");
  assertEquals([adaptation.phase, adaptation.lr], ["joint", 1e-3]);
  await jointReport(adaptation, 3);
  assertEquals(adaptation.lr, cosineRate(1e-3, 1, 4));
});

gpuTest("Adaptation: replayed steps give the bytes of steps done anew", async (gpu) => {
  const run = async (isReplayed: boolean) => {
    using model = tinyModel(gpu);
    using adaptation = new Adaptation(model, { ...defaultRecipe(8), warmupSteps: 4, lr: 5e-3 });
    const reports = [];
    while (adaptation.step < adaptation.total) {
      if (!isReplayed) gpu.trim();
      const { step, phase } = adaptation;
      using input = phase === "warmup" ? latents(gpu, step) : images(gpu, step);
      using result = phase === "warmup"
        ? adaptation.warmupStep(input)
        : adaptation.jointStep(input);
      reports.push(await result.read());
    }
    const weights = await Promise.all(
      adaptation.state.map(({ parameters }) => parameters.weights()),
    );
    return { reports, weights };
  };
  await flat(gpu, async () => assertEquals(await run(true), await run(false)));
});

gpuTest("Adaptation: a step of another batch is recorded by itself", async (gpu) => {
  const run = async (sizes: number[], isReplayed: boolean) => {
    using model = tinyModel(gpu);
    using adaptation = new Adaptation(model, defaultRecipe(8));
    for (const [step, batch] of sizes.entries()) {
      if (!isReplayed) gpu.trim();
      using whole = images(gpu, step);
      using input = slice(whole, [0], [batch]);
      adaptation.jointStep(input)[Symbol.dispose]();
    }
    return await snapshot(model);
  };
  const sizes = [2, 1, 2, 1, 1, 2];
  assertEquals(await run(sizes, true), await run(sizes, false));
});

gpuTest("Adaptation: a step that fails counts for nothing", async (gpu) => {
  const run = async (failing: boolean) => {
    using model = tinyModel(gpu);
    using adaptation = new Adaptation(model, defaultRecipe(8));
    await jointReport(adaptation, 1);
    using odd = full(gpu, [1, TINY_SIZE + 2, TINY_SIZE + 1, 3], 0);
    if (failing) assertThrows(() => adaptation.jointStep(odd), ShapeError, "multiples");
    const { numbers } = await jointReport(adaptation, 2);
    return { numbers, after: await snapshot(model) };
  };
  await flat(gpu, async () => assertEquals(await run(true), await run(false)));
});

gpuTest("Adaptation: a joint step in the warm-up is refused, a measurement is not", (gpu) => {
  using model = tinyModel(gpu);
  using adaptation = new Adaptation(model, { ...defaultRecipe(2), warmupSteps: 1 });
  using batch = images(gpu, 1);
  assertThrows(() => adaptation.jointStep(batch), TypeError, "step 1 is one of 1 of the warm-up");
  assert(adaptation.measure(batch.shape) > 0);
  assertEquals([adaptation.step, adaptation.phase], [0, "warmup"]);
});

gpuTest("Adaptation: the posterior's noise hangs on seed and step alone", async (gpu) => {
  const totals = async (seed: number, start: number) => {
    using model = tinyModel(gpu);
    using adaptation = new Adaptation(model, { ...defaultRecipe(10), seed });
    adaptation.resume(start);
    return (await jointReport(adaptation, 1)).numbers.total;
  };
  const first = await totals(1, 0);
  assertEquals(await totals(1, 0), first);
  assert(await totals(2, 0) !== first, "another seed gave the same noise");
  assert(await totals(1, 1) !== first, "another step gave the same noise");
});

gpuTest("Adaptation: the loss falls on one batch", async (gpu) => {
  using model = tinyModel(gpu);
  using adaptation = new Adaptation(model, {
    ...defaultRecipe(60),
    lr: 5e-3,
    samplePosterior: false,
  });
  const first = (await jointReport(adaptation, 1)).numbers.total;
  for (let step = 0; step < 30; step++) await jointReport(adaptation, 1);
  const last = (await jointReport(adaptation, 1)).numbers.total;
  assert(last < 0.8 * first, `from ${first} to ${last}`);
});

gpuTest(
  "Adaptation: live GPU bytes are flat over 200 steps, and all are given back",
  async (gpu) => {
    await flat(gpu, async () => {
      using model = tinyModel(gpu);
      using adaptation = new Adaptation(model, { ...defaultRecipe(150), warmupSteps: 50 });
      using batch = images(gpu, 1);
      using cached = latents(gpu, 1);
      const live = gpu.memory.live;
      let peak = 0;
      for (let step = 0; step < 200; step++) {
        if (step === 50) gpu.resetPeak(); // a joint step needs more than one of the warm-up
        const result = adaptation.phase === "warmup"
          ? adaptation.warmupStep(cached)
          : adaptation.jointStep(batch);
        result[Symbol.dispose]();
        assertEquals(gpu.memory.live, live, `step ${step}`);
        if (step === 51) peak = gpu.memory.reservedPeak;
        if (step % 10 === 0) await gpu.sync();
      }
      assertEquals(gpu.memory.reservedPeak, peak, "peak");
    });
  },
);

async function snapshot({ vae, lora, quantizer }: AdaptedModel) {
  return {
    vae: await values(vae.parameters),
    lora: await values(lora.parameters),
    quantizer: await values(quantizer.parameters),
  };
}
