import { printable } from "../checkpoint/errors.ts";

/** The command line itself is wrong: exit code 2, and where the help is. */
export class UsageError extends Error {
  /** The error's class name. */
  override name: string = "UsageError";
}

/** A failure that the command has put into one line for the user: exit code 1. */
export class CommandError extends Error {
  /** The error's class name. */
  override name: string = "CommandError";
}

/** Errors of the library that say in one line what was found and what to do, by class name. */
const EXPECTED: ReadonlySet<string> = new Set([
  "CommandError",
  "CheckpointError",
  "WriteError",
  "ImageError",
  "TokenFileError",
  "RunError",
  "GpuError",
  "ShapeError",
  "RangeError",
]);

/** What the program says of an error, and the code that it exits with. */
export interface Failure {
  /** One or more lines without a final line break; empty where nothing is to be said. */
  text: string;
  /** The exit code. */
  code: number;
}

/**
 * Puts an error into words.
 *
 * @param error What was thrown.
 * @param options.command The command that was running, for the hint at its help.
 * @param options.verbose Whether the stack is wanted.
 */
export function describeError(
  error: unknown,
  options: { command?: string; verbose?: boolean } = {},
): Failure {
  if (error instanceof UsageError) {
    const help = options.command === undefined ? "coda --help" : `coda ${options.command} --help`;
    return { text: `coda: ${oneLine(error.message)}\nsee ${help}`, code: 2 };
  }
  // The reader of a pipe has gone, as with `| head`: the shell's code for that, and no complaint.
  if (error instanceof Deno.errors.BrokenPipe) return { text: "", code: 141 };
  const stack = options.verbose && error instanceof Error ? `\n${error.stack ?? ""}` : "";
  const known = systemMessage(error) ?? expectedMessage(error);
  if (known !== undefined) return { text: `coda: ${oneLine(known)}${stack}`, code: 1 };
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const hint = stack || "\nthis is a fault in coda; --verbose shows where";
  return { text: `coda: unexpected ${oneLine(text)}${hint}`, code: 1 };
}

/** The message of an error whose class, or one that it extends, is among the expected. */
function expectedMessage(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  let type: { constructor: { name: string } } | null = Object.getPrototypeOf(error);
  while (type !== null) {
    if (EXPECTED.has(type.constructor.name)) return error.message;
    type = Object.getPrototypeOf(type);
  }
  return undefined;
}

/** The file system's and Deno's own refusals: "no such file or directory: open 'x'". */
function systemMessage(error: unknown): string | undefined {
  if (!(error instanceof Error) || !(error.name in Deno.errors)) return undefined;
  const parts = /^(.*?) \(os error \d+\)(?::? ?(.*))?$/s.exec(error.message);
  if (!parts) return error.message;
  const [, what, where] = parts;
  return where ? `${lowerFirst(what)}: ${where}` : lowerFirst(what);
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function oneLine(text: string): string {
  return printable(text.split(/\s*\n\s*/).filter((line) => line !== "").join("; "));
}
