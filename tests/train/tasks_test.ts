import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  CheckpointError,
  convertCheckpoint,
  inspectCheckpoint,
  loadVae,
  openTensors,
} from "../../src/checkpoint/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { saveImage } from "../../src/data/mod.ts";
import { fromArray, noGrad } from "../../src/tensor/mod.ts";
import { Tokenizer } from "../../src/tokenizer.ts";
import {
  adapt,
  type AdaptOptions,
  OptionError,
  resumeAdapt,
  type TrainingProgress,
} from "../../src/train/mod.ts";
import { VAE_FAMILIES } from "../../src/vae/mod.ts";
import { readArchitecture } from "../../src/train/architecture.ts";
import { pattern } from "../cli/tiny_tokenizer.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { TINY_VAE, TinyGround } from "./tiny.ts";

/** What a task is told that begins from scratch. */
function scratch(ground: TinyGround, task: "vqgan" | "vae"): AdaptOptions {
  const { images, batch, imageSize, codebookSize, seed, logEvery } = ground.options;
  const architecture = ground.path("vae");
  return { task, architecture, images, batch, imageSize, codebookSize, seed, logEvery, steps: 4 };
}

/** Runs of every kind, by name. */
function runsOf(ground: TinyGround): Record<string, AdaptOptions> {
  const { options } = ground;
  return {
    "direct VQ on the frozen VAE": {
      ...options,
      quantizer: "nearest",
      patchSizes: undefined,
      rank: 0,
    },
    "multi-scale VQ and adapters": { ...options, quantizer: "multiscale" },
    "CODA's quantizer on the frozen VAE": { ...options, rank: 0 },
    VQGAN: scratch(ground, "vqgan"),
    "a continuous VAE": scratch(ground, "vae"),
  };
}

async function tensorsOf(path: string): Promise<Map<string, Float32Array>> {
  using file = await openTensors(path);
  const found = new Map<string, Float32Array>();
  for (const name of file.names) found.set(name, await file.floats(name));
  return found;
}

async function ending(ground: TinyGround, run: string): Promise<string[]> {
  const files = ["model.safetensors", "config.json"].map((name) => ground.path(`${run}/${name}`));
  return (await Promise.all(files.map((file) => Deno.readFile(file)))).map((bytes) =>
    bytes.toBase64()
  );
}

gpuTest(
  "whatever is trained: stopped and resumed, it ends bit-equal to an unbroken run",
  async (gpu) => {
    await using ground = await TinyGround.make(gpu);
    for (const [name, options] of Object.entries(runsOf(ground))) {
      const reports: TrainingProgress[] = [];
      await flat(gpu, () =>
        adapt(gpu, ground.path(`${name} whole`), options, {
          onProgress: (progress) => void reports.push(progress),
        }));
      const controller = new AbortController();
      const broken = ground.path(`${name} broken`);
      const middle = reports.length - 2;
      const { stopped } = await adapt(gpu, broken, options, {
        signal: controller.signal,
        onStep: (step) => step === middle && controller.abort(),
      });
      assert(stopped, name);
      await resumeAdapt(gpu, broken);
      assertEquals(
        await ending(ground, `${name} broken`),
        await ending(ground, `${name} whole`),
        name,
      );
      const last = reports.at(-1)!;
      const isCoda = name.startsWith("CODA");
      const isContinuous = options.task === "vae";
      const expected = isContinuous ? ["kl"] : isCoda ? ["vq", "entropy"] : ["vq"];
      assertEquals(
        Object.keys(last.losses).toSorted(),
        ["l1", "l2", "total", ...expected].toSorted(),
      );
      assertEquals(last.scales.length === 0, isContinuous);
    }
  },
);

gpuTest("without adapters the VAE stays as it is, and the folder is a tokenizer", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const before = await tensorsOf(ground.path("vae/model.safetensors"));
  const runs = runsOf(ground);
  for (const name of Object.keys(runs).filter((name) => name.endsWith("frozen VAE"))) {
    await adapt(gpu, ground.path(name), { ...runs[name], steps: 2 });
    const after = await tensorsOf(ground.path(`${name}/model.safetensors`));
    for (const [tensor, values] of before) assertEquals(after.get(`vae.${tensor}`), values);
    using tokenizer = await Tokenizer.load(ground.path(name), { gpu });
    const tokens = await tokenizer.encode(pattern(16, 8));
    assertEquals((await tokenizer.decode(tokens)).width, 16);
  }
});

gpuTest(
  "VQGAN moves every weight of its autoencoder, and its folder is a tokenizer",
  async (gpu) => {
    await using ground = await TinyGround.make(gpu);
    const options = scratch(ground, "vqgan");
    await adapt(gpu, ground.path("one"), { ...options, steps: 1 });
    await adapt(gpu, ground.path("four"), options);
    const [one, four] = await Promise.all(
      ["one", "four"].map((run) => tensorsOf(ground.path(`${run}/model.safetensors`))),
    );
    for (const [name, values] of one) assert(four.get(name)!.some((x, i) => x !== values[i]), name);
    using tokenizer = await Tokenizer.load(ground.path("four"), { gpu });
    assertEquals(tokenizer.quantizer.config.kind, "nearest");
    assertEquals([tokenizer.vae.config.scale, tokenizer.vae.config.shift], [1, 0]);
    const tokens = await tokenizer.encode(pattern(16, 8));
    assertEquals((await tokenizer.decode(tokens)).height, 8);
  },
);

gpuTest(
  "a VAE from scratch has latents of mean 0 and variance 1, and is adapted as any other",
  async (gpu) => {
    await using ground = await TinyGround.make(gpu);
    await adapt(gpu, ground.path("trained"), scratch(ground, "vae"));
    using vae = await loadVae(gpu, ground.path("trained"));
    assertEquals({ ...vae.config, scale: 1, shift: 0 }, { ...TINY_VAE, scale: 1, shift: 0 });
    const { mean, variance } = await moments(gpu, vae);
    assert(Math.abs(mean) < 0.3 && variance > 0.5 && variance < 2, `${mean} ${variance}`);
    const { step } = await adapt(gpu, ground.path("adapted"), {
      ...ground.options,
      vae: ground.path("trained"),
    });
    assertEquals(step, 8);
  },
);

gpuTest("the best VAE of a run has the scale and shift of its own latents", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const [run, heldout] = [ground.path("run"), ground.path("heldout.png")];
  const draw = (file: string, value: number) =>
    saveImage(file, { width: 8, height: 8, data: new Uint8Array(192).fill(value) });
  await draw(ground.path("harder.png"), 255); // than grey, for a VAE that knows little
  await draw(heldout, 128);
  const views = { heldout, evalEvery: 2, sampleEvery: 0, keep: 1 };
  const { best } = await adapt(gpu, run, { ...scratch(ground, "vae"), ...views }, {
    onEvaluation: () => Deno.copyFileSync(ground.path("harder.png"), heldout),
  });
  assertEquals(best?.step, 2);
  const scaleOf = async (folder: string) => {
    using vae = await loadVae(gpu, folder);
    const { mean, variance } = await moments(gpu, vae);
    assert(
      Math.abs(mean) < 0.3 && variance > 0.5 && variance < 2,
      `${folder}: ${mean} ${variance}`,
    );
    return vae.config.scale;
  };
  assertEquals(
    await scaleOf(`${run}/best`),
    await scaleOf(`${run}/checkpoints/step-2`),
  );
  assert(await scaleOf(`${run}/best`) !== await scaleOf(run));
});

gpuTest("a VAE in training is refused, as its latent is not measured yet", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const [run, newest] = [ground.path("run"), ground.path("run/checkpoints/step-4")];
  const options = { ...scratch(ground, "vae"), saveEvery: 2, sampleEvery: 0 };
  await adapt(gpu, ground.path("whole"), options);
  const stopAt = (step: number) => {
    const controller = new AbortController();
    const onStep = (done: number) => done === step && controller.abort();
    return { signal: controller.signal, onStep };
  };
  await adapt(gpu, run, options, stopAt(2));
  await refused(gpu, run);
  await refused(gpu, `${run}/checkpoints/step-2`);
  await refused(gpu, `${run}/model.safetensors`);
  const adapted = { ...ground.options, vae: run };
  await assertRejects(() => adapt(gpu, ground.path("adapted"), adapted), CheckpointError, MEASURED);
  const convert = () => convertCheckpoint(run, ground.path("converted.safetensors"));
  await assertRejects(convert, CheckpointError, MEASURED);
  using told = await loadVae(gpu, run, { scale: 2, shift: 3 });
  assertEquals([told.config.scale, told.config.shift], [2, 3]);
  await resumeAdapt(gpu, run, {}, stopAt(4)); // before it is measured
  await refused(gpu, run);
  await resumeAdapt(gpu, run);
  using _done = await loadVae(gpu, newest);
  await refused(gpu, `${run}/checkpoints/step-2`); // of which nothing is measured
  await Deno.truncate(`${newest}/training.safetensors`, 100);
  await resumeAdapt(gpu, run, {}, stopAt(3)); // from step 2
  await refused(gpu, run);
  await resumeAdapt(gpu, run);
  assertEquals(await ending(ground, "run"), await ending(ground, "whole"));
});

const MEASURED =
  "config.json: is of a VAE before the end of its training, where the latent's scale";

async function refused(gpu: Gpu, path: string): Promise<void> {
  await assertRejects(() => loadVae(gpu, path), CheckpointError, MEASURED);
  const { problem, vae } = await inspectCheckpoint(path);
  assertStringIncludes(problem ?? "", MEASURED);
  assertEquals([vae?.scale, vae?.shift], [undefined, undefined]);
}

/** Of scaled latents drawn from their posteriors, over one image. */
async function moments(gpu: Gpu, vae: Awaited<ReturnType<typeof loadVae>>) {
  const { width, height, data } = pattern(8, 8);
  const pixels = Float32Array.from(data, (value) => value / 127.5 - 1);
  const reads = (() => {
    using _scope = gpu.scope();
    const { mean, logVariance } = noGrad(() =>
      vae.encode(fromArray(gpu, pixels, [1, height, width, 3]))
    );
    return [vae.scaleLatent(mean).readF32(), logVariance.readF32()];
  })();
  const [means, logVariances] = await Promise.all(reads);
  const { scale } = vae.config;
  const mean = means.reduce((sum, x) => sum + x, 0) / means.length;
  const variance = means.reduce(
    (sum, x, i) => sum + (x - mean) ** 2 + scale ** 2 * Math.exp(logVariances[i]),
    0,
  );
  return { mean, variance: variance / means.length };
}

gpuTest("options of another task are errors before anything is written", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const { options } = ground;
  const refused = async (options: AdaptOptions, message: string) => {
    const error = await assertRejects(() => adapt(gpu, ground.path("run"), options), OptionError);
    assert(error.message.startsWith(message), error.message);
    await assertRejects(() => Deno.stat(ground.path("run")), Deno.errors.NotFound);
  };
  const [vqgan, vae] = (["vqgan", "vae"] as const).map((task) => scratch(ground, task));
  await refused({ ...options, architecture: "FLUX.1" }, "architecture is of an autoencoder from");
  await refused({ ...vqgan, vae: ground.path("vae") }, "vae is of a VAE that is there");
  await refused({ ...vae, scale: 1 }, "scale is of a VAE that is there");
  await refused({ ...vqgan, warmupSteps: 3 }, "warmupSteps is of a VAE that stays");
  await refused({ ...vqgan, quantizer: "coda" }, "quantizer is coda, but VQGAN's is nearest");
  await refused({ ...vqgan, architecture: "FLUX.2" }, 'architecture is "FLUX.2", expected "MAR KL');
  await refused({ ...options, quantizer: "nearest" }, "patchSizes is 1,2,4, but direct VQ has one");
  await refused({ ...options, quantizer: "lfq" as "coda" }, 'quantizer is "lfq", expected one of');
  await refused({ ...options, task: "gan" as "vae" }, 'task is "gan", expected one of adapt');
});

Deno.test("an autoencoder is built as a family, a folder or the embedded one", async () => {
  assertEquals(await readArchitecture("flux.1"), VAE_FAMILIES[1].config);
  const { channels, latentChannels, normGroups } = await readArchitecture(undefined);
  assertEquals([channels, latentChannels, normGroups], [[32, 32, 64, 64], 16, 8]);
  assertEquals(await readArchitecture("models/tiny-coda-f8"), await readArchitecture(undefined));
});
