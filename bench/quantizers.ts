/**
 * CODA's quantizer, direct VQ and multi-scale VQ on the same frozen VAE, and VQGAN from scratch, on the
 * same photographs for the same steps (SPEC section 9):
 *
 * `deno run -A bench/quantizers.ts --photos DIR --heldout DIR` writes bench/results/quantizers.md and
 * .json. Runs and evaluations are kept in `--work`, and a second call goes on where the first was stopped.
 * `--only NAME,…` trains and evaluates some rows; `--steps`, `--warmup-steps`, `--batch`, `--size` and
 * `--codebook-size` are what they are for `coda adapt`.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { Gpu } from "../src/gpu/mod.ts";
import { findImages, type Image } from "../src/data/mod.ts";
import { Tokenizer } from "../src/tokenizer.ts";
import { adapt, resumeAdapt, type TrainingProgress } from "../src/train/mod.ts";
import { evaluate, evaluateContinuous, photographs, type Quality } from "./quantizers/evaluate.ts";
import { markdownOf, type QuantizersResult, type RunResult } from "./quantizers/markdown.ts";
import { type QuantizerRun, runsOf, type Sizes } from "./quantizers/runs.ts";
import { settingOf } from "./report/setting.ts";

const RESULTS = new URL("results/quantizers", import.meta.url);

const flags = parseArgs(Deno.args, {
  string: [
    "photos",
    "heldout",
    "work",
    "only",
    "steps",
    "warmup-steps",
    "batch",
    "size",
    "codebook-size",
  ],
  default: {
    "work": "runs/quantizers",
    "steps": "120",
    "warmup-steps": "500",
    "batch": "4",
    "size": "128",
    "codebook-size": "512",
  },
  unknown: (flag) => {
    throw new TypeError(`there is no ${flag}: see the head of bench/quantizers.ts`);
  },
});
if (!flags.photos || !flags.heldout) throw new TypeError("--photos and --heldout name two folders");

const sizes: Sizes = {
  photos: String(flags.photos),
  steps: Number(flags.steps),
  warmupSteps: Number(flags["warmup-steps"]),
  batch: Number(flags.batch),
  imageSize: Number(flags.size),
  codebookSize: Number(flags["codebook-size"]),
  seed: 1,
};
const chosen = flags.only === undefined ? undefined : String(flags.only).split(",");
const runs = runsOf(sizes).filter(({ name }) => chosen?.includes(name) ?? true);

using gpu = await Gpu.create();
const heldOut = await photographs(String(flags.heldout), sizes.imageSize);
for (const run of runs) await resultOf(run, heldOut);
await write(heldOut.length);

/** Trains and evaluates a row, as far as that was not done. */
async function resultOf(run: QuantizerRun, images: readonly Image[]): Promise<void> {
  const file = `${flags.work}/${run.name}.json`;
  if (await exists(file)) return;
  const folder = `${flags.work}/${run.name}`;
  const hooks = { onProgress: (progress: TrainingProgress) => tell(run.name, progress) };
  if (await exists(`${folder}/config.json`)) await resumeAdapt(gpu, folder, {}, hooks);
  else await adapt(gpu, folder, run.options, hooks);
  using tokenizer = await Tokenizer.load(folder, { gpu });
  const isFrozen = run.options.rank === 0;
  const continuous = isFrozen ? await evaluateContinuous(tokenizer, images) : undefined;
  const { name, title, trains } = run;
  const training = await jointReports(folder);
  const result: RunResult = {
    name,
    title,
    trains,
    heldOut: await evaluate(tokenizer, images),
    training,
  };
  await Deno.writeTextFile(file, JSON.stringify({ result, continuous }));
}

function tell(name: string, { step, total, phase, losses, codebookUse }: TrainingProgress): void {
  if (phase === "warmup" && step % 100 !== 0) return;
  const used = (100 * codebookUse!).toFixed(1);
  console.log(`${name} ${step}/${total} ${phase} loss ${losses.total.toFixed(4)} codes ${used} %`);
}

async function jointReports(folder: string): Promise<RunResult["training"]> {
  const lines = (await Deno.readTextFile(`${folder}/metrics.jsonl`)).trimEnd().split("\n");
  const reports: TrainingProgress[] = lines.map((line) => JSON.parse(line));
  return reports.filter(({ phase }) => phase === "joint")
    .map(({ step, losses, codebookUse, perplexity }) => ({
      step,
      losses,
      codebookUse,
      perplexity,
    }));
}

/** Writes the table of all rows that are done. */
async function write(heldOutCount: number): Promise<void> {
  const done: { result: RunResult; continuous?: Quality }[] = [];
  for (const { name } of runsOf(sizes)) {
    const file = `${flags.work}/${name}.json`;
    if (await exists(file)) done.push(JSON.parse(await Deno.readTextFile(file)));
  }
  const { photos, ...shared } = sizes;
  const said = Deno.args.filter((arg, i) => ![arg, Deno.args[i - 1]].includes("--work"));
  const command = ["deno run -A bench/quantizers.ts", ...said.map(withoutFolders)].join(" ");
  const result: QuantizersResult = {
    setting: await settingOf(command),
    sizes: shared,
    photographs: { train: (await findImages([photos])).length, heldOut: heldOutCount },
    continuous: done.find(({ continuous }) => continuous)?.continuous,
    runs: done.map(({ result }) => result),
  };
  await Deno.writeTextFile(`${RESULTS.pathname}.json`, JSON.stringify(result, undefined, 2) + "\n");
  await Deno.writeTextFile(`${RESULTS.pathname}.md`, markdownOf(result));
  console.log(markdownOf(result));
}

/** A folder's name without the folders it is in. */
function withoutFolders(arg: string): string {
  return arg.includes("/") ? `photos/${arg.split("/").at(-1)}` : arg;
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
