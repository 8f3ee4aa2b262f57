import { WriteError } from "../checkpoint/mod.ts";
import { DeviceLostError, OutOfMemoryError } from "../gpu/mod.ts";
import { RunError } from "./errors.ts";

/** Where a run stood when it ended. */
export interface Standing {
  /** Its folder. */
  readonly path: string;
  /** The step that was saved last, where one was. */
  readonly savedStep: number | undefined;
}

/** The error of a run whose numbers are no longer finite; `where`: the tensor and its step. */
export function divergence(run: Standing, where: string): RunError {
  const kept = run.savedStep === undefined
    ? "nothing was saved before it"
    : `step ${run.savedStep}, saved before it, is kept`;
  return new RunError(
    run.path,
    `the run diverged: ${where} is not finite; ${kept}; begin another run with a lower lr`,
  );
}

/** The error of a step that could not be saved; `cause` says why and what to do. */
export function unsaved(run: Standing, step: number, cause: Error): RunError {
  return new RunError(
    run.path,
    `step ${step} could not be saved: ${cause.message}; ${remains(run)}`,
    { cause },
  );
}

/**
 * What a run throws for an error: where the GPU or the disk failed it, a sentence that says what is
 * left. What a failing GPU holds is of no step and is not saved.
 *
 * @param step The step that was under way.
 */
export function ended(run: Standing, step: number, error: unknown): unknown {
  if (error instanceof OutOfMemoryError) {
    const text = `out of GPU memory in step ${step} (${error.message}); ${remains(run)}, ` +
      "or begin another one with a smaller batch or images";
    return new RunError(run.path, text, { cause: error });
  }
  if (error instanceof DeviceLostError) {
    const text = `${error.message} in step ${step}; ${remains(run)}`;
    return new RunError(run.path, text, { cause: error });
  }
  if (error instanceof WriteError) {
    return new RunError(run.path, `${error.message}; ${remains(run)}`, { cause: error });
  }
  return error;
}

function remains({ savedStep }: Standing): string {
  return savedStep === undefined
    ? "nothing was saved before: resuming the run begins it anew"
    : `step ${savedStep} is saved whole: resume the run from there`;
}
