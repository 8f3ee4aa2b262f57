import { resolve } from "@std/path";
import type { Adaptation } from "./adaptation.ts";
import { evaluate, type Evaluation } from "./evaluation.ts";
import { HeldOut } from "./held_out.ts";
import type { AdaptHooks } from "./hooks.ts";
import type { ResolvedOptions } from "./options.ts";
import type { RunLog } from "./run_log.ts";
import { Samples } from "./samples.ts";

/** Images in a picture. */
const SAMPLED = 4;
/** The most images that are looked at together: no more than a step trains on, which takes more memory. */
const TOGETHER = 4;

/** What is looked at, and where it is logged. */
export interface LookOptions {
  /** The run's log; what it has of the step already is not looked at again. */
  readonly log: RunLog;
  /** Ends the look early. */
  readonly signal?: AbortSignal;
}

/** What came of a look. */
export interface Look {
  /** The evaluation, where it was time for one. */
  readonly evaluation?: Evaluation;
  /** Whether the signal ended it early: the log lacks something of the step. */
  readonly isCut: boolean;
}

/** Looks every so often at what a run has learned: pictures, and an evaluation of held-out images. */
export class RunViews {
  #options: ResolvedOptions;
  #samples: Samples;
  #heldOut: HeldOut | undefined;

  private constructor(options: ResolvedOptions, samples: Samples, heldOut: HeldOut | undefined) {
    this.#options = options;
    this.#samples = samples;
    this.#heldOut = heldOut;
  }

  /**
   * Finds the held-out images; without any, pictures are of training images. Tells of those that are both.
   *
   * @throws {ImageError} where there are none in the place that was named.
   */
  static async open(
    options: ResolvedOptions,
    trainingFiles: readonly string[],
    { onSkip, onNotice }: AdaptHooks,
  ): Promise<RunViews> {
    const { heldout, evalImages: count, imageSize: size } = options;
    const heldOut = heldout === undefined
      ? undefined
      : await HeldOut.find(heldout, { size, count, onSkip });
    const both = heldOut ? common(heldOut.files, trainingFiles) : [];
    if (both.length > 0) onNotice?.(notHeldOut(both));
    const sampled = new HeldOut(heldOut?.files ?? trainingFiles, { size, count: SAMPLED });
    return new RunViews(options, new Samples(sampled), heldOut);
  }

  /** The images that are evaluated. */
  get heldOut(): readonly string[] {
    return this.#heldOut?.files ?? [];
  }

  /** Whether there is anything to look at after a step of so many. */
  isDue(step: number, total: number): boolean {
    return this.#isSampleDue(step, total) || this.#isEvaluationDue(step, total);
  }

  /** Looks at an adaptation and logs what is due of its step and not logged yet. */
  async look(adaptation: Adaptation, { log, signal }: LookOptions): Promise<Look> {
    const { step, total } = adaptation;
    const batch = Math.min(TOGETHER, this.#options.batch);
    if (this.#isSampleDue(step, total) && !await log.hasSample(step)) {
      if (signal?.aborted) return { isCut: true };
      const picture = await this.#samples.draw(adaptation, batch);
      if (picture) await log.sample(step, picture);
    }
    if (!this.#heldOut || !this.#isEvaluationDue(step, total)) return { isCut: false };
    if (await log.hasEvaluation(step)) return { isCut: false };
    const evaluation = await evaluate(adaptation, this.#heldOut, { batch, signal });
    if (!evaluation) return { isCut: true };
    await log.evaluation(evaluation);
    return { evaluation, isCut: false };
  }

  #isSampleDue(step: number, total: number): boolean {
    const { sampleEvery } = this.#options;
    return sampleEvery > 0 && (step % sampleEvery === 0 || step === total);
  }

  #isEvaluationDue(step: number, total: number): boolean {
    return this.#heldOut !== undefined &&
      (step % this.#options.evalEvery === 0 || step === total);
  }
}

/** Those of many files that are among a few, under whatever name. */
function common(few: readonly string[], many: readonly string[]): string[] {
  const known = new Set(few.map((file) => resolve(file)));
  return many.filter((file) => known.has(resolve(file)));
}

function notHeldOut([file, ...others]: readonly string[]): string {
  const more = others.length > 0 ? ` and ${others.length} more` : "";
  return `held out, but trained on as well: ${file}${more}; the evaluation will look better than it is`;
}
