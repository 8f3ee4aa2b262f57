import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { CheckpointError, loadTokenizer } from "../../src/checkpoint/mod.ts";
import { DeviceLostError, Gpu, OutOfMemoryError } from "../../src/gpu/mod.ts";
import { adapt, resumeAdapt, RunError } from "../../src/train/mod.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { TinyGround } from "./tiny.ts";

async function saved(run: string): Promise<string[]> {
  const names = await Array.fromAsync(Deno.readDir(`${run}/checkpoints`), ({ name }) => name);
  return names.sort();
}

async function modelBytes(run: string): Promise<Uint8Array> {
  return await Deno.readFile(`${run}/model.safetensors`);
}

gpuTest("checkpoints: the newest stay, each a tokenizer; the newest is the run's", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const run = ground.path("run");
  await adapt(gpu, run, { ...ground.options, saveEvery: 2, keep: 3 });
  assertEquals(await saved(run), ["step-4", "step-6", "step-8"]);
  const { vae, quantizer } = await loadTokenizer(gpu, `${run}/checkpoints/step-4`);
  vae[Symbol.dispose]();
  quantizer[Symbol.dispose]();
  const newest = await Deno.readFile(`${run}/checkpoints/step-8/model.safetensors`);
  assertEquals(await modelBytes(run), newest);
});

gpuTest("checkpoints: a run goes on from the newest sound one, to the same end", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const options = { ...ground.options, saveEvery: 2 };
  const [whole, broken] = [ground.path("whole"), ground.path("broken")];
  await adapt(gpu, whole, options);
  const killed = {
    onStep: (step: number) => {
      if (step === 7) throw new Error("killed");
    },
  };
  await assertRejects(() => adapt(gpu, broken, options, killed), Error, "killed");
  assertEquals(await saved(broken), ["step-4", "step-6"]);
  const folder = `${broken}/checkpoints`;
  await Deno.truncate(`${folder}/step-6/training.safetensors`, 4096);
  await Deno.mkdir(`${folder}/.step-7.0123abcd.tmp`); // what a kill amid a save leaves
  const notices: string[] = [];
  const onNotice = (text: string) => {
    if (text.includes("step")) notices.push(text); // not what is told of losses that are off
  };
  await resumeAdapt(gpu, broken, {}, { onNotice });
  assertEquals(notices.length, 1);
  assertStringIncludes(notices[0], "step-6/training.safetensors: ");
  assertStringIncludes(notices[0], "goes on from step 4");
  assertEquals(await saved(broken), ["step-6", "step-8"]);
  assertEquals(await modelBytes(broken), await modelBytes(whole));
  // Files of two steps in one folder are no checkpoint.
  await Deno.copyFile(`${folder}/step-6/model.safetensors`, `${folder}/step-8/model.safetensors`);
  await Deno.remove(`${folder}/step-6`, { recursive: true });
  await assertRejects(
    () => resumeAdapt(gpu, broken),
    CheckpointError,
    "step-8/model.safetensors: is of step 6, expected 8",
  );
});

gpuTest("checkpoints: a full disk leaves the one before whole", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const disk = ground.path("disk");
  await Deno.mkdir(disk);
  const options = { ...ground.options, saveEvery: 4, sampleEvery: 0, logEvery: 100 };
  const [whole, run] = [ground.path("whole"), `${disk}/run`];
  await adapt(gpu, whole, options);
  const { size } = await Deno.stat(`${whole}/checkpoints/step-8/training.safetensors`);
  await using mounted = await mount(disk, 8 * size);
  if (!mounted.isMounted) return; // it takes rights that this process may lack
  let filled = false;
  const fill = {
    onStep: (step: number) => {
      if (step === 6 && !filled) filled = fillUp(`${disk}/others`);
    },
  };
  const error = await assertRejects(() => adapt(gpu, run, options, fill), RunError);
  assertStringIncludes(error.message, "step 8 could not be saved: cannot write ");
  assertStringIncludes(error.message, "step 4 is saved whole: resume the run from there");
  assertEquals(await saved(run), ["step-4"]);
  await Deno.remove(`${disk}/others`);
  await resumeAdapt(gpu, run);
  assertEquals(await modelBytes(run), await modelBytes(whole));
});

gpuTest("checkpoints: a failing GPU ends a run with what is left of it", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const options = { ...ground.options, saveEvery: 3 };
  for (const [at, rest] of [[2, "nothing was saved before"], [5, "step 3 is saved whole"]]) {
    const run = ground.path(`lost-${at}`);
    const lost = {
      onStep: (step: number) => {
        if (step === at) throw new DeviceLostError("the GPU device was lost: reset");
      },
    };
    await flat(gpu, async () => {
      const error = await assertRejects(() => adapt(gpu, run, options, lost), RunError);
      assert(error.cause instanceof DeviceLostError);
      assertStringIncludes(error.message, `the GPU device was lost: reset in step`);
      assertStringIncludes(error.message, String(rest));
    });
  }
  const most = 2 ** 18;
  const limits = { maxStorageBufferBindingSize: most, maxBufferSize: most };
  using small = await Gpu.create({ limits });
  const large = { ...options, warmupSteps: 0, imageSize: 64, batch: 8 };
  const error = await assertRejects(() => adapt(small, ground.path("large"), large), RunError);
  assert(error.cause instanceof OutOfMemoryError);
  assertStringIncludes(error.message, "out of GPU memory in step 1 (");
  assertStringIncludes(error.message, "with a smaller batch or images");
});

gpuTest("a corrupt image is passed over alike in a run that was broken off", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const image = ground.path("images/2.png");
  const bytes = await Deno.readFile(image);
  await Deno.writeFile(image, bytes.subarray(0, bytes.length / 2));
  const [whole, broken] = [ground.path("whole"), ground.path("broken")];
  const options = { ...ground.options, warmupSteps: 0, saveEvery: 1 };
  const results = [await adapt(gpu, whole, options)];
  for (const stop of [1, 2, 3, 5]) {
    const controller = new AbortController();
    const onStep = (step: number) => step === stop && controller.abort();
    const hooks = { signal: controller.signal, onStep: (step: number) => void onStep(step) };
    results.push(
      stop === 1
        ? await adapt(gpu, broken, options, hooks)
        : await resumeAdapt(gpu, broken, {}, hooks),
    );
  }
  assertEquals(results.map(({ step }) => step), [5, 1, 2, 3, 5]);
  assertEquals(await modelBytes(broken), await modelBytes(whole));
});

/** Writes until the disk has room for a line, but for no checkpoint. */
function fillUp(path: string): boolean {
  using file = Deno.openSync(path, { write: true, create: true });
  let size = 0;
  try {
    for (;;) size += file.writeSync(new Uint8Array(4096));
  } catch {
    file.truncateSync(size - 8192);
    return true;
  }
}

/** A file system of so many bytes on a folder, until disposed, where this process may mount one. */
async function mount(folder: string, bytes: number) {
  const options = ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", folder];
  const run = async (program: string, args: string[]) =>
    await new Deno.Command(program, { args, stdout: "null", stderr: "null" }).output()
      .then(({ success }) => success, () => false);
  const isMounted = await run("mount", options);
  return {
    isMounted,
    async [Symbol.asyncDispose]() {
      if (isMounted) await run("umount", [folder]);
    },
  };
}
