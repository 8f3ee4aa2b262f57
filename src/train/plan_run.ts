import type { Gpu } from "../gpu/mod.ts";
import type { Adaptation } from "./adaptation.ts";
import type { ResolvedOptions } from "./options.ts";
import { planStep, type StepPlan } from "./step_plan.ts";

/** What of the limit steps may take: counts of codes and results that are being read need some, too. */
const SHARE = 63 / 64;

/** What of a run's steps may not be chosen. */
export type Settled = Partial<Pick<ResolvedOptions, "accumulate" | "checkpointing">>;

/**
 * Prepares an adaptation for its steps. Where the device has a limit, how they stay within it is planned
 * from what the steps themselves would take; without one they are as the options say.
 *
 * @returns The plan, where there is one.
 * @throws {OutOfMemoryError} where no plan fits.
 */
export function planRun(
  gpu: Gpu,
  adaptation: Adaptation,
  { batch, accumulate, imageSize, checkpointing }: ResolvedOptions,
  settled: Settled,
): StepPlan | undefined {
  const { vae } = adaptation.model;
  vae.checkpointing = checkpointing;
  if (gpu.memoryLimit === undefined || adaptation.recipe.steps === 0) return undefined;
  gpu.trim();
  const plan = planStep({
    images: batch * accumulate,
    ...settled,
    used: gpu.memory.reserved,
    most: SHARE * gpu.memoryLimit,
    measure: ({ batch, accumulate, checkpointing, isReplayed }) => {
      vae.checkpointing = checkpointing;
      adaptation.isReplayed = isReplayed;
      return adaptation.measure([batch, imageSize, imageSize, 3], accumulate);
    },
  });
  vae.checkpointing = plan.checkpointing;
  adaptation.isReplayed = plan.isReplayed;
  return plan;
}
