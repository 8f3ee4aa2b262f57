import { makeFolder } from "../checkpoint/mod.ts";
import { type Image, saveImage } from "../data/mod.ts";
import type { Evaluation } from "./evaluation.ts";
import { MetricsLog } from "./metrics_log.ts";
import type { TrainingProgress } from "./progress.ts";
import { EventFiles } from "./tensorboard/event_files.ts";

/**
 * What a run writes to be looked at, each under its step: reports and evaluations as lines of
 * metrics.jsonl, pictures in samples, and all of them for TensorBoard.
 */
export class RunLog {
  #path: string;
  #metrics: MetricsLog;
  #events: EventFiles;

  /** `path`: the run's folder. Files are made when there is something to write. */
  constructor(path: string) {
    this.#path = path;
    this.#metrics = new MetricsLog(`${path}/metrics.jsonl`);
    this.#events = new EventFiles(`${path}/tensorboard`);
  }

  /** Drops what was written beyond a step, where a run goes on from there. */
  async truncate(step: number): Promise<void> {
    await this.#metrics.truncate(step);
    await this.#events.truncate(step);
    for (const [name, of] of await this.#samples()) {
      if (of > step) await Deno.remove(`${this.#path}/samples/${name}`);
    }
  }

  /** Adds a report. @throws {WriteError} where there is no room. */
  async report(progress: TrainingProgress): Promise<void> {
    await this.#metrics.append(progress);
    await this.#events.scalars(progress.step, scalarsOf(progress));
  }

  /** Adds an evaluation. @throws {WriteError} where there is no room. */
  async evaluation(evaluation: Evaluation): Promise<void> {
    const { step, ...rest } = evaluation;
    await this.#metrics.append({ step, evaluation: rest });
    const { psnr, codebookUse, perplexity } = evaluation;
    await this.#events.scalars(step, below("heldout", { psnr, codebookUse, perplexity }));
  }

  /** Adds a picture, `samples/step-N.png`. @throws {WriteError} where there is no room. */
  async sample(step: number, image: Image): Promise<void> {
    await makeFolder(`${this.#path}/samples`);
    const path = `${this.#path}/samples/step-${step}.png`;
    await saveImage(path, image);
    const { width, height } = image;
    const png = await Deno.readFile(path);
    await this.#events.image(step, "samples", { width, height, png });
  }

  /** Whether there is a picture of a step. */
  async hasSample(step: number): Promise<boolean> {
    return (await this.#samples()).some(([, of]) => of === step);
  }

  /** Whether there is an evaluation of a step. */
  async hasEvaluation(step: number): Promise<boolean> {
    const lines = await this.#metrics.lines();
    return lines.some((line) => line.step === step && line.evaluation !== undefined);
  }

  /** The evaluation with the highest PSNR so far, the first of equals. */
  async best(): Promise<Evaluation | undefined> {
    let best: Evaluation | undefined;
    for (const { step, evaluation } of await this.#metrics.lines()) {
      const found = evaluation as Omit<Evaluation, "step"> | undefined;
      if (found && found.psnr > (best?.psnr ?? -Infinity)) best = { step, ...found };
    }
    return best;
  }

  /** The pictures' names with their steps. */
  async #samples(): Promise<[string, number][]> {
    try {
      const names = await Array.fromAsync(
        Deno.readDir(`${this.#path}/samples`),
        ({ name }) => name,
      );
      return names.map((name) => [name, Number(/^step-(\d+)\.png$/.exec(name)?.[1])]);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }
}

/** A report's numbers by the tags under which TensorBoard shows them. */
function scalarsOf(progress: TrainingProgress): Record<string, number> {
  const { losses, measures, lr, gradNorm, codebookUse, perplexity, imagesPerSecond } = progress;
  return {
    ...below("loss", losses),
    ...below("step", { lr, gradNorm, imagesPerSecond, ...measures }),
    ...below("codebook", { use: codebookUse, perplexity }),
  };
}

/** Numbers below the name of a group, without those that there are not. */
function below(
  group: string,
  numbers: Readonly<Record<string, number | undefined>>,
): Record<string, number> {
  const entries = Object.entries(numbers).flatMap(([name, number]) =>
    number === undefined ? [] : [[`${group}/${name}`, number] as const]
  );
  return Object.fromEntries(entries);
}
