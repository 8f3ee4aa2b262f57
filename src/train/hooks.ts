import type { ImageError } from "../data/mod.ts";
import type { Evaluation } from "./evaluation.ts";
import type { TrainingProgress } from "./progress.ts";
import type { StepPlan } from "./step_plan.ts";

/** What a run tells, and what stops it. */
export interface AdaptHooks {
  /**
   * Stops the run after the step, or the few held-out images, under way. It is saved and can be resumed;
   * what it was to look at and did not is looked at then.
   */
  signal?: AbortSignal;
  /** Hears, before the first step, how steps stay within the device's memory, where that has a limit. */
  onPlan?: (plan: StepPlan) => void;
  /** Hears a report every `logEvery` steps and at the end. */
  onProgress?: (progress: TrainingProgress) => void;
  /** Hears of each evaluation, and whether it is the best so far. */
  onEvaluation?: (evaluation: Evaluation, isBest: boolean) => void;
  /** Hears of each step that was sent to the GPU. */
  onStep?: (step: number, total: number) => void;
  /** Hears how many crops of the warm-up are encoded. */
  onEncode?: (done: number, count: number) => void;
  /** Hears once of each image that cannot be used. */
  onSkip?: (file: string, error: ImageError) => void;
  /** Hears of what is not as it should be and yet stops nothing, such as an unsound checkpoint. */
  onNotice?: (text: string) => void;
}

/** How a run ended. */
export interface AdaptResult {
  /** How many steps are done. */
  readonly step: number;
  /** How many there are in all. */
  readonly total: number;
  /** Whether it was stopped before its end: before its last step, or what follows that. */
  readonly stopped: boolean;
  /** How many images (in the warm-up latents) this part of it saw. */
  readonly images: number;
  /** How many images could not be used in this part of it. */
  readonly skipped: number;
  /** The best evaluation of the whole run, where held-out images were given. */
  readonly best: Evaluation | undefined;
}
