/**
 * A run that cannot begin, continue or go on. The one-line message says why and what to do.
 *
 * @example
 * ```ts
 * import { RunError } from "@coda/tokenizer";
 *
 * const error = new RunError("run", "holds a run already; resume it or choose another folder");
 * console.assert(error.message.startsWith("run: holds"));
 * ```
 */
export class RunError extends Error {
  /** The error's class name. */
  override readonly name: string = "RunError";
  /** The run's folder. */
  readonly folder: string;

  /** Makes the error of the run in `folder`; `problem` continues the sentence after its name. */
  constructor(folder: string, problem: string) {
    super(`${folder}: ${problem}`);
    this.folder = folder;
  }
}
