/** The demo's training: as many steps as fit a time. */
import { join } from "@std/path";
import { findImages } from "../../../data/mod.ts";
import type { Gpu } from "../../../gpu/mod.ts";
import { adapt, type AdaptHooks, type AdaptOptions } from "../../../train/mod.ts";
import { CommandError } from "../../errors.ts";

/** What the demo trains; steps are found out. */
const OPTIONS = {
  imageSize: 64,
  codebookSize: 512,
  patchSizes: [1, 2, 3, 4, 6, 8],
  batch: 4,
  warmupBatch: 16,
  warmupCrops: 1,
  rank: 8,
  warmupLr: 0.01, // the quantizer alone bears, and in so few steps needs, twenty times the usual
  saveEvery: 1_000_000, // it is short: saved once, at its end
  sampleEvery: 0, // the demo's own picture shows more
} satisfies Partial<AdaptOptions>;
/** The share of the time for the warm-up: its steps are cheap and do most of the work. */
const WARMUP_SHARE = 0.75;
const REPORTS = 12;
/** How many tiles are encoded to see how long that takes. */
const MEASURED_TILES = 40;

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
  /** What the run tells. */
  readonly hooks: AdaptHooks;
  /** Stops it. */
  readonly stop: AbortSignal;
}

/** How long each part of a run takes, in seconds. */
interface Pace {
  readonly crop: number;
  readonly warmupStep: number;
  readonly step: number;
}

/**
 * Adapts the embedded VAE for about so many seconds, and at most for twice as many.
 *
 * @returns The folder of the tokenizer; undefined where it was stopped.
 * @throws {CommandError} where the time is too short for a single step.
 */
export async function trainFor(gpu: Gpu, request: TrainingRequest): Promise<string | undefined> {
  const { images, seed, seconds, count, folder, hooks, stop } = request;
  using deadline = new Deadline(stop, 2 * seconds);
  const options = { ...OPTIONS, images: [images], seed };
  const signal = deadline.signal;
  const start = performance.now();
  const some = (await findImages([images])).slice(0, MEASURED_TILES);
  const pace = await measure(gpu, folder, { ...options, images: some }, signal);
  const left = seconds - (performance.now() - start) / 1000 - count * pace.crop;
  const warmupSteps = Math.max(10, Math.floor(left * WARMUP_SHARE / pace.warmupStep));
  const steps = Math.max(2, Math.floor(left * (1 - WARMUP_SHARE) / pace.step));
  if (!signal.aborted) request.onPlan(warmupSteps, steps);
  const out = join(folder, "run");
  const logEvery = Math.ceil((warmupSteps + steps) / REPORTS);
  const planned = { ...options, warmupSteps, steps, logEvery };
  const { step } = await adapt(gpu, out, planned, { ...hooks, signal });
  if (stop.aborted) return undefined;
  if (step > 0) return out;
  throw new CommandError(
    `not one step was done in ${2 * seconds} seconds: give the demo more --seconds`,
  );
}

/**
 * Times a short run. The host is a step ahead of the GPU at most, so the time from one step's sending
 * to a later one's is the GPU's; the first steps of a kind, which build pipelines, are not counted.
 */
async function measure(
  gpu: Gpu,
  folder: string,
  options: Omit<AdaptOptions, "steps">,
  signal: AbortSignal,
): Promise<Pace> {
  const crops = new Map<number, number>();
  const steps = new Map<number, number>();
  const out = join(folder, "measure");
  await adapt(gpu, out, { ...options, warmupSteps: 6, steps: 4 }, {
    signal,
    onEncode: (done) => crops.set(done, performance.now()),
    onStep: (step) => steps.set(step, performance.now()),
  });
  const all = Math.max(...crops.keys());
  return {
    crop: perUnit(crops, OPTIONS.batch, all),
    warmupStep: perUnit(steps, 3, 6),
    step: perUnit(steps, 8, 10),
  };
}

/** Seconds for each unit between two counts, by the times at which they were reached. */
function perUnit(times: ReadonlyMap<number, number>, from: number, to: number): number {
  return ((times.get(to) ?? 0) - (times.get(from) ?? 0)) / (to - from) / 1000;
}

/** A signal that is aborted by another one or after a time. */
class Deadline implements Disposable {
  readonly signal: AbortSignal;
  #timer: ReturnType<typeof setTimeout>;

  constructor(stop: AbortSignal, seconds: number) {
    const late = new AbortController();
    this.signal = AbortSignal.any([stop, late.signal]);
    this.#timer = setTimeout(() => late.abort(), seconds * 1000);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
