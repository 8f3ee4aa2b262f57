// deno-lint-ignore no-import-prefix -- the linked package has this one dependency
import * as npm from "npm:deno-std@1.4.0/cli/parse_args.js";

/** How the arguments are read. The names are those of the @std/cli package. */
export interface ParseOptions {
  /** Collect what follows a `--` under that key instead of `_`. */
  "--"?: boolean;
  /** Other names of a flag. */
  alias?: Partial<Record<string, string | readonly string[]>>;
  /** Flags without a value. */
  boolean?: readonly string[];
  /** Flags that may be given several times. */
  collect?: readonly string[];
  /** Values of flags that are not given. */
  default?: Record<string, unknown>;
  /** Flags that `--no-name` sets to false. */
  negatable?: readonly string[];
  /** Put everything after the first argument that is no flag into `_`. */
  stopEarly?: boolean;
  /** Flags whose value is kept as text. */
  string?: readonly string[];
  /** Called with what no option names; false leaves it out of the result. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** Flags by their names, and the arguments that are none under `_`. */
export type Args = Record<string, unknown> & { _: Array<string | number> };

/** Reads command line arguments. */
export const parseArgs: (args: string[], options?: ParseOptions) => Args = npm.parseArgs;
