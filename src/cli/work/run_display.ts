/** What is seen of a training run. */
import type { AdaptHooks, Evaluation, StepPlan, TrainingProgress } from "../../train/mod.ts";
import { formatBytes } from "../format.ts";
import { Progress } from "../progress.ts";

/** How a run is shown. */
export interface Show {
  /** Prints each report as a line of JSON on stdout, and nothing else. */
  readonly json: boolean;
  /** Shows nothing but problems. */
  readonly quiet: boolean;
}

/** Shows a run's progress: a line that is redrawn, and above it a line for each report. */
export class RunDisplay implements Disposable {
  #show: Show;
  #encoding: Progress | undefined;
  #training: Progress | undefined;
  #detail = "";

  /** Shows nothing yet. */
  constructor(show: Show) {
    this.#show = show;
  }

  /** What the run tells. */
  get hooks(): AdaptHooks {
    return {
      onPlan: (plan) => this.#planned(plan),
      onEncode: (done, count) => this.#encoded(done, count),
      onStep: (step, total) => this.#stepped(step, total),
      onProgress: (progress) => this.#reported(progress),
      onEvaluation: (evaluation, isBest) => this.#evaluated(evaluation, isBest),
      onNotice: (text) => this.#message(`coda: ${text}`),
      onSkip: (_, error) => this.#message(`coda: ${error.message}; it is left out`),
    };
  }

  /** Tells that Ctrl-C was heard, which a long step would leave one to wonder about. */
  stopping(): void {
    if (this.#show.json || this.#show.quiet) return;
    this.#message(
      "coda: stops after the step or images under way and saves; Ctrl-C again ends it at once",
    );
  }

  #planned(plan: StepPlan): void {
    if (this.#show.json) console.log(JSON.stringify({ plan }));
    else if (!this.#show.quiet) this.#message(planText(plan));
  }

  #encoded(done: number, total: number): void {
    this.#encoding ??= this.#progress({ label: "encode", unit: "crops", total });
    this.#encoding.update(done);
  }

  #stepped(step: number, total: number): void {
    this.#encoding?.[Symbol.dispose]();
    this.#encoding = undefined;
    this.#training ??= this.#progress({ label: "train", unit: "steps", total, start: step - 1 });
    this.#training.update(step, this.#detail);
  }

  #reported(progress: TrainingProgress): void {
    this.#detail = `${progress.phase}  loss ${progress.losses.total.toFixed(3)}`;
    if (this.#show.json) console.log(JSON.stringify(progress));
    else if (!this.#show.quiet) this.#message(reportText(progress));
  }

  #evaluated(evaluation: Evaluation, isBest: boolean): void {
    if (this.#show.json) console.log(JSON.stringify({ evaluation }));
    else if (!this.#show.quiet) this.#message(evaluationText(evaluation, isBest));
  }

  #message(text: string): void {
    const progress = this.#training ?? this.#encoding;
    if (progress) progress.message(text);
    else console.error(text);
  }

  #progress(what: { label: string; unit: string; total: number; start?: number }): Progress {
    return new Progress({ ...what, quiet: this.#show.quiet || this.#show.json });
  }

  /** Clears the line. */
  [Symbol.dispose](): void {
    this.#encoding?.[Symbol.dispose]();
    this.#training?.[Symbol.dispose]();
  }
}

/** A plan as a line. */
export function planText(plan: StepPlan): string {
  const { batch, accumulate, checkpointing, isReplayed, bytes } = plan;
  const images = batch === 1 ? "1 image" : `${batch} images`;
  const parts = [
    accumulate === 1
      ? `${images} a step`
      : `${batch * accumulate} images a step, ${images} at once (L_e and batch norms see ${batch})`,
    checkpointing ? "activations computed again" : "activations kept",
    ...(isReplayed ? [] : ["steps not replayed"]),
    `at most ${formatBytes(bytes)} of GPU memory expected`,
  ];
  return `plan  ${parts.join("; ")}`;
}

/** An evaluation as a line. */
function evaluationText(evaluation: Evaluation, isBest: boolean): string {
  const { step, protocol, images, psnr, codebookUse } = evaluation;
  return [
    `step ${step} held out`,
    `${psnr.toFixed(2)} dB (${protocol}, ${images} images)`,
    ...codebookUse === undefined ? [] : [`codes ${(codebookUse * 100).toFixed(1)} %`],
    ...isBest ? ["best"] : [],
  ].join("  ");
}

/** A report as a line. */
export function reportText(progress: TrainingProgress): string {
  const { step, total, phase, losses, gradNorm, codebookUse, imagesPerSecond } = progress;
  const { total: loss, ...each } = losses;
  const parts = [
    `step ${step}/${total} ${phase}`,
    `loss ${loss.toFixed(4)}`,
    ...Object.entries(each).map(([name, value]) => `${name} ${value.toFixed(4)}`),
    `gradient ${gradNorm.toFixed(2)}`,
    ...codebookUse === undefined ? [] : [`codes ${(codebookUse * 100).toFixed(1)} %`],
    `${imagesPerSecond.toPrecision(3)} ${phase === "warmup" ? "latents" : "images"}/s`,
  ];
  return parts.join("  ");
}
