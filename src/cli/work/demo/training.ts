/** The demo's training: as many steps as fit a time. */
import { join } from "@std/path";
import type { Gpu } from "../../../gpu/mod.ts";
import { adapt, type AdaptHooks, type AdaptOptions } from "../../../train/mod.ts";

/** What the demo trains; steps are found out. */
const OPTIONS: Omit<AdaptOptions, "images" | "steps"> = {
  imageSize: 64,
  codebookSize: 512,
  patchSizes: [1, 2, 3, 4, 6, 8],
  batch: 4,
  warmupBatch: 16,
  warmupCrops: 1,
  rank: 8,
  warmupLr: 0.01, // the quantizer alone bears, and in so few steps needs, twenty times the usual
  saveEvery: 1_000_000, // it is short: saved once, at its end
};
/** The share of the time for the warm-up: its steps are cheap and do most of the work. */
const WARMUP_SHARE = 0.7;
const REPORTS = 12;

/** What is to be trained. */
export interface TrainingRequest {
  /** The folder of the training images. */
  readonly images: string;
  /** How many there are. */
  readonly count: number;
  /** A folder for the run's folders. */
  readonly folder: string;
  /** How long it may take. */
  readonly seconds: number;
  /** Decides first values, order, crops and noise. */
  readonly seed: number;
  /** Told how many steps there will be. */
  readonly onPlan: (warmupSteps: number, steps: number) => void;
  /** What the run tells, and what stops it. */
  readonly hooks: AdaptHooks;
}

/** How long each part of a run takes, in seconds. */
interface Pace {
  readonly crop: number;
  readonly warmupStep: number;
  readonly step: number;
}

/**
 * Adapts the embedded VAE for about so many seconds.
 *
 * @returns The folder of the tokenizer; undefined where it was stopped.
 */
export async function trainFor(gpu: Gpu, request: TrainingRequest): Promise<string | undefined> {
  const start = performance.now();
  const { images, seed, seconds, count, folder, hooks } = request;
  const options = { ...OPTIONS, images: [images], seed };
  const pace = await measure(gpu, join(folder, "measure"), options, hooks.signal);
  if (hooks.signal?.aborted) return undefined;
  const left = seconds - (performance.now() - start) / 1000 - count * pace.crop;
  const warmupSteps = Math.max(10, Math.floor(left * WARMUP_SHARE / pace.warmupStep));
  const steps = Math.max(2, Math.floor(left * (1 - WARMUP_SHARE) / pace.step));
  request.onPlan(warmupSteps, steps);
  const out = join(folder, "run");
  const logEvery = Math.ceil((warmupSteps + steps) / REPORTS);
  const { stopped } = await adapt(gpu, out, { ...options, warmupSteps, steps, logEvery }, hooks);
  return stopped ? undefined : out;
}

/** Takes a few steps of each kind. The first of a kind builds pipelines and is not counted. */
async function measure(
  gpu: Gpu,
  out: string,
  options: Omit<AdaptOptions, "steps">,
  signal: AbortSignal | undefined,
): Promise<Pace> {
  const steps: number[] = [];
  const crops: { time: number; done: number }[] = [];
  await adapt(gpu, out, { ...options, warmupSteps: 3, steps: 2, logEvery: 1 }, {
    signal,
    onEncode: (done) => crops.push({ time: performance.now(), done }),
    onProgress: () => steps.push(performance.now()),
  });
  const [first, last] = [crops[0], crops[crops.length - 1]];
  return {
    crop: (last?.time - first?.time) / (last?.done - first?.done) / 1000,
    warmupStep: (steps[2] - steps[0]) / 2000,
    step: (steps[4] - steps[3]) / 1000,
  };
}
