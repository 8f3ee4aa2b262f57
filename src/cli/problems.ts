/** Work on many files, where one bad file must not stop the others. */
import { printable } from "../checkpoint/errors.ts";
import { ImageError } from "../data/errors.ts";
import { OutOfMemoryError } from "../gpu/errors.ts";
import { TokenFileError } from "../tokens/errors.ts";
import type { Progress } from "./progress.ts";

/** Counts the files that could not be done and says why, a line each. */
export class Problems {
  #progress: Progress;
  #count = 0;

  /** Lines are written above the progress line. */
  constructor(progress: Progress) {
    this.#progress = progress;
  }

  /** How many there are so far. */
  get count(): number {
    return this.#count;
  }

  /**
   * Tells of an error that is a file's own; control characters, of a file's name say, are escaped.
   *
   * @param hint What to do about it, where the error does not say.
   * @throws The error itself, where it is not the file's: then the others would fail too.
   */
  add(file: string, error: unknown, hint = ""): void {
    const text = problemOf(file, error);
    if (text === undefined) throw error;
    this.#count++;
    this.#progress.message(`coda: ${printable(text)}${hint}`);
  }

  /**
   * Says how many of `total` files were not done, where that is more than one line can say.
   *
   * @param done What they were not, for example "encoded".
   * @returns The exit code.
   */
  finish(total: number, done: string): number {
    if (this.#count === 0) return 0;
    if (total > 1) {
      this.#progress.message(`coda: ${this.#count} of ${total} files could not be ${done}`);
    }
    return 1;
  }
}

function problemOf(file: string, error: unknown): string | undefined {
  // These two name the file themselves.
  if (error instanceof ImageError || error instanceof TokenFileError) return error.message;
  if (error instanceof RangeError || error instanceof OutOfMemoryError) {
    return `${file}: ${error.message}`;
  }
  return undefined;
}
