import { assert, assertEquals, assertRejects } from "@std/assert";
import { CheckpointError, loadTokenizer, SafetensorsFile } from "../../src/checkpoint/mod.ts";
import { ImageError } from "../../src/data/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import {
  adapt,
  type AdaptHooks,
  type AdaptOptions,
  OptionError,
  resumeAdapt,
  RunError,
  type TrainingProgress,
} from "../../src/train/mod.ts";
import { RunFolder } from "../../src/train/run_folder.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { TinyGround } from "./tiny.ts";

const FILES = ["model.safetensors", "training.safetensors", "config.json"];

/** What a run left when it ended after a step. */
async function contents(ground: TinyGround, run: string, step = 8): Promise<Uint8Array[]> {
  const saved = FILES.map((name) => `checkpoints/step-${step}/${name}`);
  const names = ["model.safetensors", "config.json", ...saved];
  return await Promise.all(names.map((name) => Deno.readFile(ground.path(`${run}/${name}`))));
}

async function checkpoints(ground: TinyGround, run: string): Promise<string[]> {
  const folder = ground.path(`${run}/checkpoints`);
  return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
}

/** A signal that is given when a step was sent. */
function stopAt(step: number): AdaptHooks {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    onStep: (done) => {
      if (done === step) controller.abort();
    },
  };
}

async function stepsLogged(ground: TinyGround, run: string): Promise<number[]> {
  const text = await Deno.readTextFile(ground.path(`${run}/metrics.jsonl`));
  return text.trimEnd().split("\n").map((line) => JSON.parse(line).step);
}

gpuTest(
  "adapt: stopped in either phase and resumed, it ends bit-equal to an unbroken run",
  async (gpu) => {
    await using ground = await TinyGround.make(gpu);
    const { options } = ground;
    await flat(gpu, async () => {
      assertEquals(await adapt(gpu, ground.path("whole"), options), {
        step: 8,
        total: 8,
        stopped: false,
        images: 3 * 3 + 5 * 2,
        skipped: 0,
        best: undefined,
      });
    });
    const broken = ground.path("broken");
    const stopped = await adapt(gpu, broken, options, stopAt(2));
    assertEquals([stopped.step, stopped.total, stopped.stopped, stopped.images], [2, 8, true, 6]);
    assertEquals(await checkpoints(ground, "broken"), ["step-2"]);
    assertEquals((await resumeAdapt(gpu, broken, {}, stopAt(6))).step, 6);
    assertEquals((await resumeAdapt(gpu, broken, { steps: 5 })).step, 8);
    assertEquals(await contents(ground, "broken"), await contents(ground, "whole"));
    assertEquals(await stepsLogged(ground, "broken"), [1, 2, 3, 4, 5, 6, 7, 8]);
  },
);

gpuTest("adapt: killed between saves and resumed, it ends bit-equal too", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const options = { ...ground.options, saveEvery: 4 };
  await adapt(gpu, ground.path("whole"), options);
  const killed = {
    onStep: (step: number) => {
      if (step === 7) throw new Error("killed");
    },
  };
  const broken = ground.path("broken");
  await flat(gpu, async () => {
    await assertRejects(() => adapt(gpu, broken, options, killed), Error, "killed");
  });
  assertEquals(await checkpoints(ground, "broken"), ["step-4"]);
  // Lines after the save, and half a line, are what a real kill leaves.
  await Deno.writeTextFile(ground.path("broken/metrics.jsonl"), '{"step":9}\n{"st', {
    append: true,
  });
  await resumeAdapt(gpu, broken);
  assertEquals(await contents(ground, "broken"), await contents(ground, "whole"));
  assertEquals(await stepsLogged(ground, "broken"), [1, 2, 3, 4, 5, 6, 7, 8]);
});

gpuTest("adapt: a run that was never saved is resumed from its beginning", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  await adapt(gpu, ground.path("whole"), ground.options);
  const killed = {
    onStep: (step: number) => {
      if (step === 3) throw new Error("killed");
    },
  };
  await assertRejects(() => adapt(gpu, ground.path("broken"), ground.options, killed));
  await resumeAdapt(gpu, ground.path("broken"));
  assertEquals(await contents(ground, "broken"), await contents(ground, "whole"));
  assertEquals(await stepsLogged(ground, "broken"), [1, 2, 3, 4, 5, 6, 7, 8]);
});

gpuTest(
  "adapt: the folder holds a tokenizer that loads, LoRA beside its convolutions",
  async (gpu) => {
    await using ground = await TinyGround.make(gpu);
    await adapt(gpu, ground.path("run"), ground.options);
    const { vae, quantizer } = await loadTokenizer(gpu, ground.path("run"));
    using _vae = vae;
    using _quantizer = quantizer;
    assertEquals([vae.reduction, vae.config.shift, quantizer.config.codebookSize], [2, -0.1, 16]);
    using file = await SafetensorsFile.open(ground.path("run/model.safetensors"));
    const conv = "vae.encoder.down.0.block.0.conv1";
    assertEquals(file.info(`${conv}.lora_layer.up.weight`).shape, [4, 2, 1, 1]);
    assertEquals(file.info(`${conv}.weight`).shape, [4, 4, 3, 3]);
    using base = await SafetensorsFile.open(ground.path("vae/model.safetensors"));
    for (const name of base.names) {
      assertEquals(await file.floats(`vae.${name}`), await base.floats(name), name);
    }
  },
);

gpuTest("adapt: reports losses, rate and codebook use", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const reports: TrainingProgress[] = [];
  const encoded: number[] = [];
  const onProgress = (report: TrainingProgress) => reports.push(report);
  await adapt(gpu, ground.path("run"), { ...ground.options, logEvery: 3 }, {
    onProgress,
    onEncode: (done) => encoded.push(done),
  });
  assertEquals(reports.map(({ step, phase }) => [step, phase]), [
    [3, "warmup"],
    [6, "joint"],
    [8, "joint"],
  ]);
  assertEquals(encoded, [2, 4, 6, 8, 10]);
  for (const { losses, gradNorm, codebookUse, perplexity, imagesPerSecond } of reports) {
    assert([losses.total, losses.vq, losses.entropy, gradNorm].every(Number.isFinite));
    assert(codebookUse! > 0 && codebookUse! <= 1 && perplexity! >= 1 && perplexity! <= 16);
    assert(imagesPerSecond > 0);
  }
  assertEquals("l1" in reports[0].losses, false);
  assert(reports[2].losses.l1! > 0 && reports[2].losses.l2! > 0);
});

gpuTest("adapt: goes on without an image that is cut short, and says so once", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const whole = await Deno.readFile(ground.path("images/2.png"));
  await Deno.writeFile(ground.path("images/2.png"), whole.subarray(0, whole.length / 2));
  const skipped: string[] = [];
  const result = await adapt(gpu, ground.path("run"), ground.options, {
    onSkip: (file) => skipped.push(file),
  });
  assertEquals([result.step, result.skipped, skipped], [8, 1, [ground.path("images/2.png")]]);
});

gpuTest("adapt: a folder that holds a run already is left alone", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  await adapt(gpu, ground.path("run"), { ...ground.options, steps: 1, warmupSteps: 0 });
  const before = await contents(ground, "run", 1);
  await expectError(gpu, ground, "run", {}, RunError, "resume the run");
  assertEquals(await contents(ground, "run", 1), before);
  await Deno.remove(ground.path("run/checkpoints"), { recursive: true }); // a tokenizer with a log
  await expectError(gpu, ground, "run", {}, RunError, "is not empty");
});

gpuTest(
  "adapt: begins anew where a run ended before its first save, and only there",
  async (gpu) => {
    await using ground = await TinyGround.make(gpu);
    await adapt(gpu, ground.path("whole"), ground.options);
    const killed = {
      onStep: (step: number) => {
        if (step === 3) throw new Error("killed");
      },
    };
    const others = { ...ground.options, seed: 1, rank: 3 };
    await assertRejects(() => adapt(gpu, ground.path("broken"), others, killed), Error, "killed");
    await Deno.writeTextFile(ground.path("broken/.lock"), "process 1"); // a killed process left it
    await Deno.writeTextFile(ground.path("broken/notes.txt"), "");
    await expectError(gpu, ground, "broken", {}, RunError, "is not empty");
    await Deno.remove(ground.path("broken/notes.txt"));
    await adapt(gpu, ground.path("broken"), ground.options);
    assertEquals(await contents(ground, "broken"), await contents(ground, "whole"));
    assertEquals(await stepsLogged(ground, "broken"), [1, 2, 3, 4, 5, 6, 7, 8]);
    await Deno.mkdir(ground.path("other"));
    await Deno.copyFile(ground.path("vae/config.json"), ground.path("other/config.json"));
    await expectError(gpu, ground, "other", {}, RunError, "is not empty");
  },
);

gpuTest("adapt: options that do not fit are errors before anything is written", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  await expectError(gpu, ground, "run", { imageSize: 7 }, OptionError, "multiple of");
  await expectError(gpu, ground, "run", { targets: ["nothing"] }, OptionError, "nothing");
  await expectError(gpu, ground, "run", { images: [ground.path("none")] }, Error, "none");
  await expectError(gpu, ground, "run", { vae: ground.path("images") }, Error, "holds no weight");
  const image = ground.path("no.png");
  await Deno.writeTextFile(image, "no image");
  await expectError(gpu, ground, "run", { images: [image] }, ImageError, "cannot be used");
  await assertRejects(() => Deno.stat(ground.path("run")), Deno.errors.NotFound);
});

gpuTest("resumeAdapt: other options or images are errors that say which", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const run = ground.path("run");
  await adapt(gpu, run, { ...ground.options, steps: 1, warmupSteps: 0 });
  await flat(gpu, async () => {
    await assertRejects(() => resumeAdapt(gpu, run, { lr: 1 }), RangeError, "lr is 1");
    await Deno.copyFile(ground.path("images/0.png"), ground.path("images/new.png"));
    await assertRejects(() => resumeAdapt(gpu, run), RunError, "the images are not those");
    await assertRejects(() => resumeAdapt(gpu, ground.path("none")), Error, "config.json");
  });
});

gpuTest("resumeAdapt: an image of the same name with other content is seen", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const run = ground.path("run");
  await adapt(gpu, run, { ...ground.options, steps: 1, warmupSteps: 0 });
  await Deno.copyFile(ground.path("images/0.png"), ground.path("images/1.png"));
  await assertRejects(() => resumeAdapt(gpu, run), RunError, "the images are not those");
});

gpuTest("resumeAdapt: a config.json that was spoilt is named", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const run = ground.path("run");
  const file = `${run}/config.json`;
  await adapt(gpu, run, { ...ground.options, steps: 1, warmupSteps: 0 });
  const config = JSON.parse(await Deno.readTextFile(file));
  const spoilt = { ...config, vae: { ...config.vae, norm_num_groups: "two" } };
  await Deno.writeTextFile(file, JSON.stringify(spoilt));
  await flat(gpu, async () => {
    const message = `${file}: "norm_num_groups" is "two"`;
    await assertRejects(() => resumeAdapt(gpu, run), CheckpointError, message);
  });
});

gpuTest("adapt: a run that diverges stops and keeps what was saved before", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const options = { ...ground.options, warmupSteps: 0, steps: 9, saveEvery: 1, lr: 1e30 };
  await flat(gpu, async () => {
    await expectError(gpu, ground, "run", options, RunError, "diverged: the loss l1 in step 2 is");
  });
  assertEquals(await checkpoints(ground, "run"), ["step-1"]);
  const file = ground.path("run/checkpoints/step-1/training.safetensors");
  using state = await SafetensorsFile.open(file);
  for (const name of state.names) {
    assert((await state.floats(name)).every(Number.isFinite), name);
  }
});

async function expectError(
  gpu: Gpu,
  ground: TinyGround,
  run: string,
  changes: Partial<AdaptOptions>,
  // deno-lint-ignore no-explicit-any -- any class of errors
  kind: new (...args: any[]) => Error,
  message: string,
): Promise<void> {
  const options = { ...ground.options, ...changes };
  await assertRejects(() => adapt(gpu, ground.path(run), options), kind, message);
}

gpuTest("adapt: a run that is being written is neither begun again nor resumed", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const run = ground.path("run");
  const options = { ...ground.options, steps: 2, warmupSteps: 0 };
  const isFree: boolean[] = [];
  const onStep = () => {
    using lock = Deno.openSync(`${run}/.lock`);
    isFree.push(lock.tryLockSync(true));
  };
  await adapt(gpu, run, options, { onStep });
  assertEquals(isFree, [false, false]);
  {
    using _ = await RunFolder.open(run);
    const problem = `${run}: is being written by process ${Deno.pid}, since `;
    await assertRejects(() => adapt(gpu, run, options), RunError, problem);
    await assertRejects(() => resumeAdapt(gpu, run), RunError, problem);
  }
  assertEquals((await resumeAdapt(gpu, run)).step, 2);
  await assertRejects(() => Deno.stat(`${run}/.lock`), Deno.errors.NotFound);
});
