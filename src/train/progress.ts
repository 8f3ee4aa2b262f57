import { codebookUse } from "../metrics/mod.ts";
import type { StepNumbers, StepReport } from "./step_result.ts";

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
  /** The losses of the step by name, `total` their weighted sum; `l1` and `l2` only in a joint step. */
  readonly losses: Omit<StepNumbers, "gradNorm">;
  /** The norm of all gradients before clipping. */
  readonly gradNorm: number;
  /** The share of the codebook that the last reports' batches used, 0 to 1. */
  readonly codebookUse: number;
  /** The perplexity of the codes of the same batches. */
  readonly perplexity: number;
  /** Images (in the warm-up latents) per second since the last report. */
  readonly imagesPerSecond: number;
}

/** How many reports' codes are counted together: one batch alone cannot use a large codebook. */
const WINDOW = 8;

/** Makes reports of what steps found out: codebook use over a window, and the rate. */
export class ProgressMeter {
  #codebookSize: number;
  #window: (readonly Uint32Array[])[] = [];
  #images = 0;
  #since = performance.now();

  /** Starts the clock. */
  constructor(codebookSize: number) {
    this.#codebookSize = codebookSize;
  }

  /** Starts the clock again, after work that is no step. */
  restart(): void {
    this.#since = performance.now();
  }

  /**
   * The report of a step that was read.
   *
   * @param images How many images the run had seen with that step; steps after it may be under way.
   */
  report(info: StepInfo, { numbers, indices }: StepReport, images: number): TrainingProgress {
    this.#window = [...this.#window, indices].slice(-WINDOW);
    const { used, perplexity } = codebookUse(this.#window.flat(), this.#codebookSize);
    const imagesPerSecond = (images - this.#images) / ((performance.now() - this.#since) / 1000);
    this.#images = images;
    this.restart();
    const { gradNorm, ...losses } = numbers;
    return { ...info, losses, gradNorm, codebookUse: used, perplexity, imagesPerSecond };
  }
}
