/**
 * What the paper claims, at the scale of one machine (SPEC sections 1 and 9): the same photographs, the same
 * encoder and decoder, the same losses for CODA, its parts one by one, and VQGAN.
 *
 * `deno run -A bench/claims.ts --photos DIR --heldout DIR` writes bench/results/claims.md, .json and .svg.
 * Runs and evaluations are kept in `--work`; Ctrl-C saves, and a second call goes on where the first was
 * stopped. `--only NAME,…` trains and evaluates some runs; with the other flags they are smaller or larger.
 * `--parts` leaves out all but CODA's parts, which then have time for more steps, and writes
 * bench/results/claims_parts.md and .json.
 *
 * @module
 */
import { writeFileAtomic } from "../src/checkpoint/mod.ts";
import { booleanFlag, numberFlag, parseFlags, stringFlag } from "../src/cli/flags.ts";
import { listenForInterrupts, stopOnInterrupt } from "../src/cli/interrupt.ts";
import { RunDisplay } from "../src/cli/work/run_display.ts";
import { findImages } from "../src/data/mod.ts";
import { Gpu } from "../src/gpu/mod.ts";
import { tune } from "../src/ops/mod.ts";
import { Tokenizer } from "../src/tokenizer.ts";
import { adapt, resumeAdapt } from "../src/train/mod.ts";
import { computeOf } from "./claims/compute.ts";
import { figure, svgOf } from "./claims/figure.ts";
import { momentsOf } from "./claims/log.ts";
import { markdownOf, partsMarkdownOf } from "./claims/markdown.ts";
import { Photographs, type Quality } from "./claims/quality.ts";
import { type Measured, type PartsResult, publishedOf, type RunResult } from "./claims/result.ts";
import {
  type ClaimRun,
  type Folders,
  LOOKED_AT,
  PARTS,
  runsOf,
  type Sizes,
} from "./claims/runs.ts";
import { partsVerdictsOf, verdictsOf } from "./claims/verdicts.ts";
import { commit, settingOf } from "./report/setting.ts";

const RESULTS = new URL("results/", import.meta.url).pathname;
const whole = { integer: true, min: 1 };

const { flags } = parseFlags({
  photos: stringFlag("photographs to train on", { value: "DIR" }),
  heldout: stringFlag("photographs to evaluate on", { value: "DIR" }),
  work: stringFlag("folder of the runs", { value: "DIR", default: "runs/claims" }),
  out: stringFlag("the results, without their ending", { value: "PATH" }),
  only: stringFlag("runs to train and evaluate, by name", { value: "NAME,…" }),
  parts: booleanFlag("CODA's parts one by one alone"),
  steps: numberFlag("joint steps of CODA; VQGAN's are six times as many", whole),
  warmupSteps: numberFlag("steps of a quantizer alone before them", whole),
  batch: numberFlag("crops in a joint step", whole),
  size: numberFlag("side of the crops", whole),
  codebookSize: numberFlag("V", whole),
  quiet: booleanFlag("no progress"),
}, Deno.args);
if (!flags.photos || !flags.heldout) throw new TypeError("--photos and --heldout name two folders");

const folders: Folders = { photos: flags.photos, heldout: flags.heldout };
const sizes: Sizes = {
  steps: flags.steps ?? 150,
  warmupSteps: flags.warmupSteps ?? 400,
  batch: flags.batch ?? 2,
  imageSize: flags.size ?? 128,
  codebookSize: flags.codebookSize ?? 512,
  seed: 1,
};
const out = flags.out ?? `${RESULTS}${flags.parts ? "claims_parts" : "claims"}`;
const runs = runsOf(sizes, folders).filter(({ name }) => !flags.parts || PARTS.includes(name));
const names = runs.map(({ name }) => name);
const chosen = flags.only?.split(",") ?? names;
const unknown = chosen.find((name) => !names.includes(name));
if (unknown !== undefined) {
  throw new TypeError(`there is no run ${unknown}, but ${names.join(", ")}`);
}
await expectSameSizes();

using _listening = listenForInterrupts();
using stop = stopOnInterrupt();
using gpu = await Gpu.create();
await tune(gpu);
using photographs = await Photographs.load(gpu, folders.heldout, sizes.imageSize);
for (const run of runs.filter(({ name }) => chosen.includes(name))) {
  if (!await finish(run)) Deno.exit(130);
}
const missing = runs.filter(({ name }) => !isDone(name)).map(({ name }) => name);
if (missing.length === 0) await (flags.parts ? writeParts() : write());
else console.error(`not written yet: ${missing.join(", ")} are missing`);

/** What was begun with other sizes or photographs cannot be gone on with. */
async function expectSameSizes(): Promise<void> {
  const path = `${flags.work}/sizes.json`;
  const wanted = JSON.stringify({ ...sizes, ...folders });
  if (!exists(path)) {
    await Deno.mkdir(flags.work, { recursive: true });
    await writeFileAtomic(path, wanted);
  }
  const found = await Deno.readTextFile(path);
  if (found !== wanted) {
    throw new TypeError(
      `${flags.work} has runs of ${found}, not of ${wanted}: name another --work`,
    );
  }
}

/** Trains and evaluates a run, as far as that was not done; false where it was interrupted. */
async function finish(run: ClaimRun): Promise<boolean> {
  if (isDone(run.name)) return true;
  const folder = `${flags.work}/${run.name}`;
  console.error(`${run.name}: ${run.title}; trained beside it: ${run.trains}`);
  {
    using display = new RunDisplay({ json: false, quiet: flags.quiet });
    const hooks = { ...display.hooks, signal: stop.signal };
    const { stopped } = exists(`${folder}/config.json`)
      ? await resumeAdapt(gpu, folder, {}, hooks)
      : await adapt(gpu, folder, run.options, hooks);
    if (stopped) return false;
  }
  using tokenizer = await Tokenizer.load(folder, { gpu });
  const measured: Measured = {
    commit: await commit(),
    levels: tokenizer.quantizer.config.patchSizes.length,
    heldOut: await photographs.fromTokens(tokenizer),
    ...await momentsOf(folder, run.options.warmupSteps ?? 0),
  };
  await writeFileAtomic(doneFile(run.name), JSON.stringify(measured));
  return true;
}

/** Writes the results of all runs. */
async function write(): Promise<void> {
  const parts = await measuredParts();
  const coda = runs.find(({ name }) => name === "coda")!;
  using tokenizer = await Tokenizer.load(`${flags.work}/coda`, { gpu });
  const result = { ...parts, compute: computeOf(tokenizer, coda, parts.photographs.train) };
  await writeFileAtomic(`${out}.json`, publishedOf(result, verdictsOf(result)));
  await writeFileAtomic(`${out}.svg`, await svgOf(figure(result)));
  await writeFileAtomic(`${out}.md`, markdownOf(result));
  console.log(markdownOf(result));
}

/** Writes those of CODA's parts. */
async function writeParts(): Promise<void> {
  const result = await measuredParts();
  await writeFileAtomic(`${out}.json`, publishedOf(result, partsVerdictsOf(result)));
  await writeFileAtomic(`${out}.md`, partsMarkdownOf(result));
  console.log(partsMarkdownOf(result));
}

/** What was measured of the runs. */
async function measuredParts(): Promise<PartsResult> {
  return {
    setting: await settingOf(commandText()),
    sizes,
    photographs: {
      train: (await findImages([folders.photos])).length,
      heldOut: photographs.images.length,
      lookedAt: LOOKED_AT,
    },
    continuous: await continuousQuality(),
    runs: runs.map(({ name, title, trains, claim }): RunResult => {
      const measured: Measured = JSON.parse(Deno.readTextFileSync(doneFile(name)));
      return { name, title, trains, claim, ...measured };
    }),
  };
}

/** The VAE that all but VQGAN start from: that of a run that leaves it as it is. */
async function continuousQuality(): Promise<Quality> {
  using tokenizer = await Tokenizer.load(`${flags.work}/nearest`, { gpu });
  return await photographs.continuous(tokenizer);
}

/** How this was called, without what folders are in. */
function commandText(): string {
  const said = Deno.args.flatMap((arg) => arg.split("="))
    .filter((arg, i, all) => ![arg, all[i - 1]].some((text) => ["--work", "--out"].includes(text)));
  const named = said.map((arg) => arg.includes("/") ? `photos/${arg.split("/").at(-1)}` : arg);
  return ["deno run -A bench/claims.ts", ...named].join(" ");
}

function doneFile(name: string): string {
  return `${flags.work}/${name}.json`;
}

function isDone(name: string): boolean {
  return exists(doneFile(name));
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
