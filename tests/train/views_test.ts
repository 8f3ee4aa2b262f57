import { assert, assertEquals, assertRejects } from "@std/assert";
import { ImageError, loadImage } from "../../src/data/mod.ts";
import { meanPsnr } from "../../src/metrics/mod.ts";
import { Parameters } from "../../src/nn/mod.ts";
import { Tokenizer } from "../../src/tokenizer.ts";
import { adapt, type Evaluation, resumeAdapt, RunError } from "../../src/train/mod.ts";
import { loadCentered } from "../../src/train/held_out.ts";
import { grid } from "../../src/train/samples.ts";
import { standingIn } from "../../src/train/stand_in.ts";
import { contents } from "../cli/tiny_tokenizer.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { eventsIn } from "./tensorboard/read_events.ts";
import { TINY_SIZE, TinyGround } from "./tiny.ts";

gpuTest("standingIn: parameters have other values meanwhile, and their own after", async (gpu) => {
  using parameters = new Parameters(gpu);
  using others = new Parameters(gpu);
  for (const [set, first] of [[parameters, 1], [others, 7]] as const) {
    set.declare("a", [3]);
    set.declare("b", [1025]);
    set.set("a", Float32Array.of(first, NaN, -0));
    set.set("b", new Float32Array(1025).fill(first + 1));
  }
  const first = async () => (await parameters.weights()).map(({ data }) => data[0]);
  const before = await parameters.weights();
  for (const set of [parameters, others]) set.pages();
  await flat(gpu, async () => {
    const averages = [{ parameters, values: others }];
    assertEquals(await standingIn(averages, first), [7, 8]);
    assertEquals(await standingIn([{ parameters }], first), [0, 0]);
    const failed = await standingIn(averages, () => Promise.reject(new Error("no"))).catch(() => 1);
    assertEquals(failed, 1);
  });
  const after = await parameters.weights();
  assertEquals(after, before);
});

/** What the tokenizer of a checkpoint makes of the held-out images. */
async function psnrOf(gpu: Tokenizer["gpu"], folder: string, files: string[]): Promise<number> {
  using tokenizer = await Tokenizer.load(folder, { gpu });
  const images = await Promise.all(files.map((file) => loadCentered(file, TINY_SIZE)));
  const found = [];
  for (const image of images) found.push(await tokenizer.decode(await tokenizer.encode(image)));
  return meanPsnr(found, images);
}

gpuTest("a run looks at its averages, keeps the best, and trains as if it did not", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const run = ground.path("run");
  const images = ground.path("images");
  await adapt(gpu, ground.path("plain"), { ...ground.options, sampleEvery: 0 });
  const views = { heldout: images, evalImages: 3, evalEvery: 3, sampleEvery: 2 };
  const options = { ...ground.options, ...views, lr: 5e-4, saveEvery: 4, keep: 1 };
  const found: [Evaluation, boolean][] = [];
  const notices: string[] = [];
  const result = await flat(gpu, () =>
    adapt(gpu, run, options, {
      onEvaluation: (evaluation, isBest) => found.push([evaluation, isBest]),
      onNotice: (text) => notices.push(text),
    }));
  assertEquals(notices.filter((text) => text.startsWith("held out, but trained on")), [
    `held out, but trained on as well: ${images}/0.png and 2 more; ` +
    "the evaluation will look better than it is",
  ]);
  assertEquals(found.map(([{ step, protocol, images }]) => [step, protocol, images]), [
    [3, "center-8", 3],
    [6, "center-8", 3],
    [8, "center-8", 3],
  ]);
  const weights = (name: string) => Deno.readFile(ground.path(`${name}/model.safetensors`));
  assertEquals(await weights("run"), await weights("plain"));
  const best = found.map(([evaluation]) => evaluation).reduce((a, b) => b.psnr > a.psnr ? b : a);
  assertEquals(result.best, best);
  const files = [0, 1, 3].map((i) => `${images}/${i}.png`);
  for (const folder of ["best", `checkpoints/step-${best.step}`]) {
    assertEquals(await psnrOf(gpu, `${run}/${folder}`, files), best.psnr, folder);
  }
  assert(best.codebookUse! > 0 && best.codebookUse! <= 1 && best.perplexity! >= 1);
  const samples = await Array.fromAsync(Deno.readDir(`${run}/samples`), ({ name }) => name);
  assertEquals(samples.sort(), [2, 4, 6, 8].map((step) => `step-${step}.png`));
  const picture = await loadImage(`${run}/samples/step-2.png`);
  assertEquals([picture.width, picture.height], [4 + 3 * 12, 4 + 3 * 12]);
});

gpuTest("held-out images of which none can be used are told before a run begins", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const heldout = ground.path("broken.png");
  await Deno.writeFile(heldout, new Uint8Array(9));
  const run = () => adapt(gpu, ground.path("run"), { ...ground.options, heldout });
  await assertRejects(run, ImageError, "broken.png: and all other held-out images");
  await assertRejects(() => Deno.stat(ground.path("run")), Deno.errors.NotFound);
});

gpuTest("a run that was broken off has each evaluation and picture once", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const views = { heldout: ground.path("images"), evalEvery: 1, sampleEvery: 1, saveEvery: 4 };
  const options = { ...ground.options, ...views, evalImages: 2 };
  const [whole, broken] = [ground.path("whole"), ground.path("broken")];
  const ended = await adapt(gpu, whole, options);
  const killed = {
    onStep: (step: number) => {
      if (step === 7) throw new Error("killed");
    },
  };
  await adapt(gpu, broken, options, killed).catch(() => {});
  const resumed = await resumeAdapt(gpu, broken);
  assertEquals(resumed.best, ended.best);
  const evaluations = async (run: string) =>
    (await Deno.readTextFile(`${run}/metrics.jsonl`)).trim().split("\n")
      .map((line) => JSON.parse(line)).filter(({ evaluation }) => evaluation);
  assertEquals(await evaluations(broken), await evaluations(whole));
  const shown = async (run: string) =>
    (await eventsIn(`${run}/tensorboard`)).filter(({ version }) => !version)
      .map((
        { step, scalars = {}, images = {} },
      ) => [step, ...Object.keys({ ...scalars, ...images })]);
  assertEquals(await shown(broken), await shown(whole));
  for (let step = 1; step <= 8; step++) {
    const [a, b] = await Promise.all(
      [whole, broken].map((run) => Deno.readFile(`${run}/samples/step-${step}.png`)),
    );
    assertEquals(a, b, `step ${step}`);
  }
});

gpuTest("a stop is heard between held-out images, and resuming looks at the rest", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const heldout = ground.path("heldout");
  await Deno.mkdir(heldout);
  for (const i of [0, 1, 2, 4]) {
    await Deno.copyFile(ground.path(`images/${i}.png`), `${heldout}/${i}.png`);
  }
  for (const i of [3, 5]) await Deno.writeFile(`${heldout}/${i}.png`, new Uint8Array(9));
  const stopInEvaluation = () => {
    const controller = new AbortController();
    return {
      signal: controller.signal,
      onSkip: (file: string) => {
        assertEquals(file, `${heldout}/3.png`); // no other is looked at
        controller.abort();
      },
    };
  };
  for (const [name, at, evalEvery] of [["middle", 5, 5], ["end", 8, 100]] as const) {
    const options = { ...ground.options, heldout, evalEvery, sampleEvery: 5 };
    const [whole, broken] = [ground.path(`${name} whole`), ground.path(`${name} broken`)];
    const ended = await adapt(gpu, whole, options);
    await flat(gpu, async () => {
      const { step, stopped, best } = await adapt(gpu, broken, options, stopInEvaluation());
      assertEquals({ step, stopped, best }, { step: at, stopped: true, best: undefined });
    });
    assertEquals(await seen(broken), { ...await seen(whole, at), evaluations: [] });
    assertEquals((await resumeAdapt(gpu, broken, {}, stopInEvaluation())).step, at);
    const { step, stopped, best } = await resumeAdapt(gpu, broken);
    assertEquals({ step, stopped, best }, { step: 8, stopped: false, best: ended.best });
    assertEquals(await seen(broken), await seen(whole));
    assertEquals(await bytesBelow(broken), await bytesBelow(whole));
  }
});

/** The evaluations that a run logged up to a step, and the steps of its pictures. */
async function seen(run: string, most = Infinity) {
  const lines = (await Deno.readTextFile(`${run}/metrics.jsonl`)).trim().split("\n");
  const evaluations = lines.map((line) => JSON.parse(line)).filter(({ evaluation }) => evaluation);
  const events = await eventsIn(`${run}/tensorboard`);
  const pictures = events.filter(({ images }) => images).map(({ step }) => step);
  return { evaluations, pictures: pictures.filter((step) => step! <= most) };
}

/** A run's files, but for those that tell times. */
async function bytesBelow(run: string): Promise<Record<string, string>> {
  const all = Object.entries(await contents(run));
  return Object.fromEntries(all.filter(([name]) => !/^(metrics|tensorboard)/.test(name)));
}

gpuTest("held-out images may move, but a resumed run has the same", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const [run, heldout, moved] = ["run", "heldout", "moved"].map((name) => ground.path(name));
  await Deno.mkdir(heldout);
  for (const i of [0, 1, 2]) {
    await Deno.copyFile(ground.path(`images/${i}.png`), `${heldout}/${i}.png`);
  }
  const stop = AbortSignal.abort();
  await adapt(gpu, run, { ...ground.options, heldout, evalEvery: 1, steps: 1, warmupSteps: 0 });
  const begun = await bytesBelow(run);
  await Deno.rename(heldout, moved);
  await resumeAdapt(gpu, run, { heldout: moved }, { signal: stop });
  assertEquals(await bytesBelow(run), begun);
  const other = () => resumeAdapt(gpu, run, { heldout: moved });
  const refused = () =>
    assertRejects(other, RunError, "the held-out images are not those that the run began with");
  await Deno.copyFile(ground.path("images/3.png"), `${moved}/3.png`);
  await refused();
  await Deno.remove(`${moved}/3.png`);
  await Deno.copyFile(ground.path("images/4.png"), `${moved}/1.png`); // by the same name
  await refused();
  await Deno.remove(`${moved}/1.png`);
  await refused();
  assertEquals(await bytesBelow(run), begun);
});

Deno.test("grid: images in rows with white between them", () => {
  const image = (value: number) => ({ width: 2, height: 1, data: new Uint8Array(6).fill(value) });
  const { width, height, data } = grid([[image(1), image(2)], [image(3), image(4)]]);
  assertEquals([width, height], [4 + 2 * 6, 4 + 2 * 5]);
  const at = (x: number, y: number) => data[(y * width + x) * 3];
  assertEquals([at(4, 4), at(10, 4), at(5, 9), at(11, 9)], [1, 2, 3, 4]);
  assertEquals([at(3, 4), at(6, 4), at(4, 5), at(12, 9)], [255, 255, 255, 255]);
});
