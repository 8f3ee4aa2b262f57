/**
 * An image that cannot be read or written. The one-line message names the file, the reason and what
 * to do.
 *
 * @example
 * ```ts
 * import { ImageError } from "@coda/tokenizer";
 *
 * const error = new ImageError("cat.jpg", "has no bytes; fetch it again");
 * console.assert(error.message === "cat.jpg: has no bytes; fetch it again");
 * ```
 */
export class ImageError extends Error {
  /** The error's class name. */
  override readonly name: string = "ImageError";
  /** The file or folder, as it was given. */
  readonly file: string;

  /** Makes the error of `file`; `problem` continues the sentence after its name. */
  constructor(file: string, problem: string, cause?: unknown) {
    super(`${file}: ${problem}`, { cause });
    this.file = file;
  }
}

/**
 * An image that is too small or too large for what is to be done with it. The message says its size and
 * what to do.
 *
 * @example
 * ```ts
 * import { ImageSizeError, ssim } from "@coda/tokenizer";
 *
 * const small = { width: 2, height: 1, data: new Uint8Array(6) };
 * try {
 *   ssim(small, small);
 * } catch (error) {
 *   console.assert(error instanceof ImageSizeError && error instanceof RangeError);
 * }
 * ```
 */
export class ImageSizeError extends RangeError {
  /** The error's class name. */
  override readonly name: string = "ImageSizeError";
}
