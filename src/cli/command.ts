/** What a command of the program is, and how one is declared. */
import { UsageError } from "./errors.ts";
import {
  booleanFlag,
  type Flag,
  type Flags,
  flagsHelp,
  type FlagValues,
  parseFlags,
  wrap,
} from "./flags.ts";

/** A command as the program sees it. */
export interface Command {
  /** What is typed after `coda`. */
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** The whole help text, without a final line break. */
  readonly help: string;
  /** Runs it with the arguments after its name; the number is the exit code. */
  run(args: readonly string[]): Promise<number>;
}

/** The arguments of a command that are no flags. */
export interface Positionals {
  /** What the help calls one, in capitals. */
  name: string;
  /** How few there may be. */
  min: number;
  /** How many there may be. */
  max: number;
}

/** An example for the help. */
export interface Example {
  /** What it does. */
  does: string;
  /** What to type. */
  type: string;
}

/** The flags that every command has. */
export interface CommonFlags {
  /** Whether progress and messages that are no errors are left out. */
  quiet: boolean;
  /** Whether an error shows its stack. */
  verbose: boolean;
}

/** What a command's own function gets. */
export interface Input<F extends Flags> {
  /** The flags' values. */
  flags: FlagValues<F> & CommonFlags;
  /** The arguments that are no flags. */
  args: string[];
}

/** A command's declaration. */
export interface CommandSpec<F extends Flags> {
  /** What is typed after `coda`. */
  name: string;
  /** One line for the list of commands, without a full stop. */
  summary: string;
  /** What it reads and writes, for its help: a few sentences; a blank line parts paragraphs. */
  description: string;
  /** Its arguments that are no flags; none where this is left out. */
  positionals?: Positionals;
  /** Its flags, besides --quiet, --verbose and --help. */
  flags: F;
  /** At least one example. */
  examples: readonly Example[];
  /**
   * The work. Import what is heavy (the GPU, sharp) inside, with `await import`, so that the
   * program's help needs none of it. No number, or 0, is success.
   */
  run(input: Input<F>): Promise<number | void>;
}

const COMMON: Record<keyof CommonFlags | "help", Flag<boolean>> = {
  quiet: booleanFlag("show no progress and no messages but errors", { short: "q" }),
  verbose: booleanFlag("show where an error came from"),
  help: booleanFlag("show this help", { short: "h" }),
};

/** Makes a command from its declaration. */
export function defineCommand<F extends Flags>(spec: CommandSpec<F>): Command {
  const flags: F & typeof COMMON = { ...spec.flags, ...COMMON };
  return {
    name: spec.name,
    summary: spec.summary,
    help: helpText(spec, flags),
    async run(args: readonly string[]): Promise<number> {
      const input = parseFlags(flags, args);
      checkCount(spec, input.args);
      // The flags of both kinds together are what Input names.
      return await spec.run(input as Input<F>) ?? 0;
    },
  };
}

function usage({ name, positionals }: CommandSpec<Flags>): string {
  const parts = ["coda", name, "[flags]"];
  if (positionals) {
    const many = positionals.max > positionals.min ? "..." : "";
    parts.push(positionals.min > 0 ? positionals.name + many : `[${positionals.name}${many}]`);
  }
  return parts.join(" ");
}

function helpText(spec: CommandSpec<Flags>, flags: Flags): string {
  const paragraphs = spec.description.trim().split(/\n\s*\n/).map((text) =>
    wrap(text.trim(), 80).join("\n")
  );
  const examples = spec.examples.map(({ does, type }) => `  # ${does}\n  ${type}`);
  return [
    `coda ${spec.name}: ${spec.summary}`,
    `Usage: ${usage(spec)}`,
    ...paragraphs,
    `Flags:\n${flagsHelp(flags)}`,
    `Examples:\n${examples.join("\n")}`,
  ].join("\n\n");
}

function checkCount({ name, positionals }: CommandSpec<Flags>, args: readonly string[]): void {
  const { min, max, name: what } = positionals ?? { min: 0, max: 0, name: "" };
  if (args.length < min && min === max) throw new UsageError(`${name} needs ${what}`);
  if (args.length < min) {
    throw new UsageError(`${name} needs ${min === 1 ? "at least one" : `at least ${min}`} ${what}`);
  }
  if (args.length > max) {
    const limit = max === 0 ? "no arguments" : `at most ${max} ${what}`;
    throw new UsageError(`${name} takes ${limit}; found ${JSON.stringify(args[max])}`);
  }
}
