/**
 * A token file that cannot be used. The one-line message names the file and the reason: not a token
 * file, of a newer version, cut short, with bytes too many, damaged, or out of range.
 *
 * @example
 * ```ts
 * import { TokenFileError } from "@coda/tokenizer";
 *
 * const error = new TokenFileError("cat.coda", "is not a token file");
 * console.assert(error.message === "cat.coda: is not a token file");
 * ```
 */
export class TokenFileError extends Error {
  /** The error's class name. */
  override readonly name: string = "TokenFileError";
  /** The file, as it was given to the reader. */
  readonly file: string;

  /** Makes the error of `file`; `problem` continues the sentence after its name. */
  constructor(file: string, problem: string, cause?: unknown) {
    super(`${file}: ${problem}`, { cause });
    this.file = file;
  }
}
