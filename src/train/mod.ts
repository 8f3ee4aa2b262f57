/**
 * The adaptation of a continuous VAE: optimizer, schedule, averages, and the run that can be resumed.
 *
 * @module
 */
export { AdamW, type AdamWOptions, type AdamWRates, type AdamWStep } from "./adamw.ts";
export { Adaptation } from "./adaptation.ts";
export { type Clip, clipCoefficient } from "./clip.ts";
export { Ema, emaRatio } from "./ema.ts";
export { OptionError, RunError } from "./errors.ts";
export type { Evaluation } from "./evaluation.ts";
export { type Fault, Guard, type Named } from "./guard.ts";
export { type FillOptions, type LatentBatchOptions, LatentCache } from "./latents.ts";
export {
  type AdaptOptions,
  type ResolvedOptions,
  resolveOptions,
  type RunTask,
  type UnsetOption,
} from "./options.ts";
export type { StepInfo, TrainingProgress } from "./progress.ts";
export { defaultRecipe, type Recipe } from "./recipe.ts";
export type { AdaptHooks, AdaptResult } from "./hooks.ts";
export { adapt, resumeAdapt } from "./run.ts";
export { cosineRate } from "./schedule.ts";
export type { StepPlan, StepWay } from "./step_plan.ts";
export { type StepNumbers, type StepReport, StepResult } from "./step_result.ts";
export type { AdaptedModel, Critics, TrainedModel } from "./trained_model.ts";
export { TrainedSet } from "./trained_set.ts";
