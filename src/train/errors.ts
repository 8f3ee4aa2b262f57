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
  constructor(folder: string, problem: string, options?: ErrorOptions) {
    super(`${folder}: ${problem}`, options);
    this.folder = folder;
  }
}

/**
 * An option that is out of range, does not fit the VAE, or would make a resumed run another one.
 *
 * @example
 * ```ts
 * import { OptionError } from "@coda/tokenizer";
 *
 * const error = new OptionError("lr", "is 0, expected a number above 0");
 * console.assert(error instanceof RangeError && error.message.startsWith("lr is 0"));
 * ```
 */
export class OptionError extends RangeError {
  /** The error's class name. */
  override readonly name: string = "OptionError";
  /** The option. */
  readonly option: string;
  /** What is wrong with it, without its name. */
  readonly problem: string;

  /** Makes the error of `option`; `problem` continues the sentence after its name. */
  constructor(option: string, problem: string) {
    super(`${option} ${problem}`);
    this.option = option;
    this.problem = problem;
  }
}
