import { makeFolder } from "../checkpoint/mod.ts";
import { type Image, saveImage } from "../data/mod.ts";
import type { Evaluation } from "./evaluation.ts";
import { MetricsLog } from "./metrics_log.ts";
import type { TrainingProgress } from "./progress.ts";

/** What a run writes to be looked at: reports, evaluations and pictures, each under its step. */
export class RunLog {
  #path: string;
  #metrics: MetricsLog;

  /** `path`: the run's folder. Files are made when there is something to write. */
  constructor(path: string) {
    this.#path = path;
    this.#metrics = new MetricsLog(`${path}/metrics.jsonl`);
  }

  /** Drops what was written beyond a step, where a run goes on from there. */
  async truncate(step: number): Promise<void> {
    await this.#metrics.truncate(step);
    for (const [name, of] of await this.#samples()) {
      if (of > step) await Deno.remove(`${this.#path}/samples/${name}`);
    }
  }

  /** Adds a report. @throws {WriteError} where there is no room. */
  async report(progress: TrainingProgress): Promise<void> {
    await this.#metrics.append(progress);
  }

  /** Adds an evaluation. @throws {WriteError} where there is no room. */
  async evaluation(evaluation: Evaluation): Promise<void> {
    const { step, ...rest } = evaluation;
    await this.#metrics.append({ step, evaluation: rest });
  }

  /** Adds a picture, `samples/step-N.png`. @throws {WriteError} where there is no room. */
  async sample(step: number, image: Image): Promise<void> {
    await makeFolder(`${this.#path}/samples`);
    await saveImage(`${this.#path}/samples/step-${step}.png`, image);
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
