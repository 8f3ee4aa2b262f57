import { type CodebookUse, useOfCounts } from "../metrics/mod.ts";
import { lossesOf, measuresOf, type StepNumbers } from "./step_result.ts";

/** What is known of a step before it is read. */
export interface StepInfo {
  /** How many steps are done, this one among them. */
  readonly step: number;
  /** How many there are in all. */
  readonly total: number;
  /** What kind of step it was. */
  readonly phase: "warmup" | "joint";
  /** Its learning rate. */
  readonly lr: number;
}

/** How far a run is and how it goes. */
export interface TrainingProgress extends StepInfo {
  /** The losses of the step by name, as {@link StepNumbers} says; `total` is their weighted sum. */
  readonly losses: { readonly total: number; readonly [name: string]: number };
  /** The norm of all gradients before clipping. */
  readonly gradNorm: number;
  /** What else {@link StepNumbers} names. */
  readonly measures: { readonly [name: string]: number };
  /** The share of the codebook that the steps of the last reports used, 0 to 1; with a quantizer. */
  readonly codebookUse?: number;
  /** The rest of it: codes that no scale chose in those steps. */
  readonly deadCodes?: number;
  /** The perplexity of the codes of those steps. */
  readonly perplexity?: number;
  /** Use and perplexity of each scale in those steps, coarse to fine; none without a quantizer. */
  readonly scales: readonly CodebookUse[];
  /** Images (in the warm-up latents) per second of late. */
  readonly imagesPerSecond: number;
}

/** How many reports' steps are counted together: one batch alone cannot use a large codebook. */
const WINDOW = 8;
/** Reports that are read together tell no rate between them: it is measured over this, in ms. */
const LEAST_TIME = 100;

/** What was read of a step. */
export interface ReadStep {
  /** Its losses and gradient norm. */
  readonly numbers: StepNumbers;
  /** How often each scale chose each code in the steps since the last report. */
  readonly counts: readonly Uint32Array[];
  /** How many images the run had seen with that step; steps after it may be under way. */
  readonly images: number;
}

/** Makes reports of what steps found out: codebook use over a window, and the rate. */
export class ProgressMeter {
  #window: (readonly Uint32Array[])[] = [];
  #now: () => number;
  #images = 0;
  #since: number;
  #rate: number | undefined;

  /** @param now The time in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#since = now();
  }

  /** Starts the clock again, after work that is no step. */
  restart(): void {
    this.#since = this.#now();
  }

  /** Takes time out of the rate, in ms, in which no steps were done. */
  exclude(time: number): void {
    this.#since += time;
  }

  /** The report of a step that was read. */
  report(info: StepInfo, { numbers, counts, images }: ReadStep): TrainingProgress {
    this.#window = [...this.#window, counts].slice(-WINDOW);
    const byScale = counts.map((_, scale) => total(this.#window.map((report) => report[scale])));
    return {
      ...info,
      losses: lossesOf(numbers),
      gradNorm: numbers.gradNorm,
      measures: measuresOf(numbers),
      ...byScale.length > 0 && useOfAll(total(byScale)),
      scales: byScale.map(useOfCounts),
      imagesPerSecond: this.#measure(images),
    };
  }

  /** The rate since it was last measured; the one before where that was just now. */
  #measure(images: number): number {
    const time = this.#now() - this.#since;
    if (this.#rate !== undefined && time < LEAST_TIME) return this.#rate;
    this.#rate = (images - this.#images) / (time / 1000);
    this.#images = images;
    this.restart();
    return this.#rate;
  }
}

function useOfAll(counts: Float64Array) {
  const { used, perplexity } = useOfCounts(counts);
  return { codebookUse: used, deadCodes: 1 - used, perplexity };
}

function total(parts: readonly ArrayLike<number>[]): Float64Array {
  const sum = new Float64Array(parts[0].length);
  for (const part of parts) {
    for (let code = 0; code < sum.length; code++) sum[code] += part[code];
  }
  return sum;
}
