import { assertEquals, assertRejects } from "@std/assert";
import { loadTokenizer, openTensors, type TensorToStore } from "../../src/checkpoint/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { quantizerConfigToJson } from "../../src/quantizer/mod.ts";
import { adapt, type AdaptOptions, OptionError, resumeAdapt } from "../../src/train/mod.ts";
import { vaeConfigToJson } from "../../src/vae/mod.ts";
import { loraTensors, quantizerTensors, vaeTensors, writeFiles } from "../checkpoint/weights.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { TINY_VAE, TinyGround } from "./tiny.ts";

const QUANTIZER = {
  codebookSize: 16,
  channels: 4,
  attentionDim: 8,
  patchSizes: [1, 2, 4],
  norm: "layer" as const,
  beta: 0.05,
};

/** A tokenizer as the official code leaves it, with a config.json for its small sizes. */
function tokenizer(): Record<string, TensorToStore[] | Record<string, unknown>> {
  const lora = loraTensors(TINY_VAE, { rank: 3, targets: ["conv1", "conv2"] });
  return {
    "vae_ema.safetensors": [...vaeTensors(TINY_VAE), ...lora],
    "quantizer_ema.safetensors": quantizerTensors({
      channels: 4,
      norm: ["weight", "bias"],
    }),
    "config.json": {
      vae: vaeConfigToJson(TINY_VAE),
      quantizer: quantizerConfigToJson(QUANTIZER),
    },
  };
}

/** The options of a run that goes on from it. */
async function goingOn(ground: TinyGround, changes: Partial<AdaptOptions> = {}) {
  const { images, batch, warmupBatch, imageSize, seed, logEvery } = ground.options;
  const from = ground.path("from");
  await writeFiles(from, tokenizer());
  const options = { images, batch, warmupBatch, imageSize, seed, logEvery, from, steps: 4 };
  return { ...options, ...changes };
}

async function tensorsOf(path: string): Promise<Record<string, Float32Array>> {
  using file = await openTensors(path);
  const found: Record<string, Float32Array> = {};
  for (const name of file.names) found[name] = await file.floats(name);
  return found;
}

gpuTest("adapt from a tokenizer begins with its codebook and adapters", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const options = await goingOn(ground, { steps: 1, lr: 1e-30 });
  await flat(gpu, () => adapt(gpu, ground.path("run"), options));
  const found = await tensorsOf(ground.path("run/model.safetensors"));
  const files = tokenizer();
  const expected = Object.fromEntries(
    (["vae", "quantizer"] as const).flatMap((part) =>
      (files[`${part}_ema.safetensors`] as TensorToStore[])
        .map(({ name, data }) => [`${part}.${name}`, data])
    ),
  );
  assertEquals(Object.keys(found).sort(), Object.keys(expected).sort());
  for (const [name, data] of Object.entries(expected)) assertEquals(found[name], data, name);
  const { quantizer, lora } = JSON.parse(await Deno.readTextFile(ground.path("run/config.json")));
  assertEquals(quantizer, quantizerConfigToJson(QUANTIZER));
  assertEquals(lora, { rank: 3, targets: ["conv1", "conv2"] });
});

gpuTest("a run that goes on from a tokenizer is resumed to the same weights", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const options = await goingOn(ground);
  const [whole, broken] = [ground.path("whole"), ground.path("broken")];
  const ended = await adapt(gpu, whole, options);
  const controller = new AbortController();
  const stopped = await adapt(gpu, broken, options, {
    signal: controller.signal,
    onStep: (step) => step === 2 && controller.abort(),
  });
  assertEquals([stopped.step, stopped.stopped], [2, true]);
  await resumeAdapt(gpu, broken);
  const state = `checkpoints/step-${ended.step}/training.safetensors`;
  for (const name of ["model.safetensors", state, "config.json"]) {
    assertEquals(await Deno.readFile(`${broken}/${name}`), await Deno.readFile(`${whole}/${name}`));
  }
  await assertLoads(gpu, whole);
  const again = ground.path("again");
  await adapt(gpu, again, { ...options, from: whole, steps: 1 });
  await assertLoads(gpu, again);
});

async function assertLoads(gpu: Gpu, path: string): Promise<void> {
  const { vae, quantizer } = await loadTokenizer(gpu, path);
  assertEquals(quantizer.config, QUANTIZER);
  vae[Symbol.dispose]();
  quantizer[Symbol.dispose]();
}

gpuTest("a tokenizer whose adapters are fused gets new ones", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const options = await goingOn(ground, { steps: 1, rank: 2, targets: ["upsample"] });
  await writeFiles(options.from, { "vae_ema.safetensors": vaeTensors(TINY_VAE) });
  await adapt(gpu, ground.path("run"), options);
  const { lora } = JSON.parse(await Deno.readTextFile(ground.path("run/config.json")));
  assertEquals(lora, { rank: 2, targets: ["upsample"] });
});

gpuTest(
  "options that are not the tokenizer's are errors, and leave no memory behind",
  async (gpu) => {
    await using ground = await TinyGround.make(gpu);
    for (
      const [changes, message] of [
        [{ rank: 2 }, "rank is 2, but the tokenizer that the run goes on from has 3"],
        [{ targets: ["conv1"] }, "targets is conv1, but"],
        [{ codebookSize: 8 }, "codebookSize is 8, but"],
        [{ patchSizes: [1, 4] }, "patchSizes is 1,4, but"],
        [{ vae: ground.path("vae") }, "from is a tokenizer, which has its VAE"],
        [{ imageSize: 7 }, "imageSize is 7"],
      ] as const
    ) {
      const options = await goingOn(ground, changes);
      await flat(
        gpu,
        () => assertRejects(() => adapt(gpu, ground.path("run"), options), OptionError, message),
      );
    }
  },
);
