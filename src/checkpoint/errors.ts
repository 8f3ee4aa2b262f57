/** Shortens and quotes a name that came from a file, so that a message stays one readable line. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 120 ? name.slice(0, 117) + "..." : name);
}

/**
 * Writes control characters of a text from a file as escapes, those too that turn its direction, so that
 * it stays one harmless line.
 */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu,
    (c) => `\\u${hex4(c.charCodeAt(0))}`,
  );
}

function hex4(code: number): string {
  return code.toString(16).padStart(4, "0");
}

/** How much of a problem is told from its beginning and from its end, where it quotes a whole file. */
const HEAD = 420;
const TAIL = 160;

function shortened(text: string): string {
  if (text.length <= HEAD + TAIL) return text;
  return `${text.slice(0, HEAD)} … ${text.slice(-TAIL)}`;
}

/** What a {@link CheckpointError} carries besides its message. */
export interface CheckpointErrorOptions {
  /** The tensor at fault, where there is one. */
  tensor?: string;
  /** The error underneath, where there is one. */
  cause?: unknown;
}

/**
 * A weight file that cannot be used. The one-line message names the file, the tensor, what was
 * found, what was expected and what to do.
 *
 * @example
 * ```ts
 * import { CheckpointError } from "@coda/tokenizer";
 *
 * const error = new CheckpointError("vae.safetensors", "is missing", { tensor: "conv_in.bias" });
 * console.assert(error.message === 'vae.safetensors: tensor "conv_in.bias" is missing');
 * ```
 */
export class CheckpointError extends Error {
  /** The error's class name. */
  override readonly name: string = "CheckpointError";
  /** The file, as it was given to the reader. */
  readonly file: string;
  /** The tensor at fault, where there is one. */
  readonly tensor?: string;

  /** Makes the error of `file`; `problem` continues the sentence after the file's or tensor's name. */
  constructor(file: string, problem: string, options: CheckpointErrorOptions = {}) {
    const subject = options.tensor === undefined ? "" : `tensor ${quote(options.tensor)} `;
    super(printable(`${file}: ${subject}${shortened(problem)}`), { cause: options.cause });
    this.file = file;
    this.tensor = options.tensor;
  }
}

/**
 * A file that cannot be written: the folder is missing, is not a folder, is not writable, or is full.
 * Nothing is left behind under the file's name or beside it.
 *
 * @example
 * ```ts
 * import { WriteError } from "@coda/tokenizer";
 *
 * const error = new WriteError("out/a.coda", "the folder out does not exist; create it");
 * console.assert(error.message === "cannot write out/a.coda: the folder out does not exist; create it");
 * ```
 */
export class WriteError extends Error {
  /** The error's class name. */
  override readonly name: string = "WriteError";
  /** The file or folder that was to be written. */
  readonly file: string;
  /** Why it cannot be, and what to do. */
  readonly problem: string;

  /** Makes the error of `file`; `problem` says why and what to do. */
  constructor(file: string, problem: string, cause?: unknown) {
    super(`cannot write ${file}: ${problem}`, { cause });
    this.file = file;
    this.problem = problem;
  }
}
