/** Flags declared once: parsing, validation and the help text all come from the declaration. */
import { parseArgs, type ParseOptions } from "@std/cli/parse-args";
import { UsageError } from "./errors.ts";
import { nearest } from "./suggest.ts";

/** One flag. Make it with {@link booleanFlag}, {@link stringFlag} and their kin. */
export interface Flag<T> {
  /** What it does, in a sentence without a full stop. */
  readonly help: string;
  /** Its one-letter name. */
  readonly short?: string;
  /** What the help calls its value, for example "DIR"; a flag without is a switch. */
  readonly value?: string;
  /** The default as the help shows it. */
  readonly shown?: string;
  /** Turns the texts given, none where the flag is absent, into the value. */
  readonly read: (texts: readonly string[], name: string) => T;
}

/** Flags by the names of the values: `warmupSteps` is written `--warmup-steps`. */
export type Flags = Readonly<Record<string, Flag<unknown>>>;

/** The values of declared flags. */
export type FlagValues<F extends Flags> = {
  readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never;
};

/** What all flags can say of themselves. */
export interface FlagOptions {
  /** Its one-letter name. */
  short?: string;
}

/** What a flag with a value can say of itself. */
export interface ValueOptions<D> extends FlagOptions {
  /** What the help calls the value, in capitals. */
  value?: string;
  /** The value where the flag is not given. */
  default?: D;
}

/** What a flag with a number can say of itself. */
export interface NumberOptions<D> extends ValueOptions<D> {
  /** The least value allowed. */
  min?: number;
  /** The greatest value allowed. */
  max?: number;
  /** Whether the number must be whole. */
  integer?: boolean;
}

/** A switch, false where it is not given. */
export function booleanFlag(help: string, options: FlagOptions = {}): Flag<boolean> {
  return { ...options, help, read: (texts) => texts.length > 0 };
}

/** A flag with a text. */
export function stringFlag(
  help: string,
  options: ValueOptions<string> & { default: string },
): Flag<string>;
/** A flag with a text, undefined where it is not given. */
export function stringFlag(help: string, options?: ValueOptions<string>): Flag<string | undefined>;
export function stringFlag(
  help: string,
  options: ValueOptions<string> = {},
): Flag<string | undefined> {
  return valueFlag(help, "TEXT", options, (text) => text);
}

/** A flag with a number; outside `min` and `max` it is refused. */
export function numberFlag(
  help: string,
  options: NumberOptions<number> & { default: number },
): Flag<number>;
/** A flag with a number, undefined where it is not given. */
export function numberFlag(help: string, options?: NumberOptions<number>): Flag<number | undefined>;
export function numberFlag(
  help: string,
  options: NumberOptions<number> = {},
): Flag<number | undefined> {
  return valueFlag(help, "N", options, (text, name) => readNumber(text, name, options));
}

/** A flag whose value is one of a few words. */
export function choiceFlag<C extends string>(
  help: string,
  choices: readonly C[],
  options: ValueOptions<C> & { default: C },
): Flag<C>;
/** A flag whose value is one of a few words, undefined where it is not given. */
export function choiceFlag<C extends string>(
  help: string,
  choices: readonly C[],
  options?: ValueOptions<C>,
): Flag<C | undefined>;
export function choiceFlag<C extends string>(
  help: string,
  choices: readonly C[],
  options: ValueOptions<C> = {},
): Flag<C | undefined> {
  return valueFlag(help, choices.join("|"), options, (text, name) => {
    const choice = choices.find((choice) => choice === text);
    if (choice !== undefined) return choice;
    throw new UsageError(
      `--${name} is one of ${choices.join(", ")}; found ${quoted(text)}${meant(text, choices)}`,
    );
  });
}

const UNITS: Readonly<Record<string, number>> = { "": 0, k: 1, m: 2, g: 3, t: 4 };

/** A flag with a number of bytes such as 2GB or 512MiB, undefined where it is not given. */
export function bytesFlag(
  help: string,
  options: ValueOptions<number> = {},
): Flag<number | undefined> {
  return valueFlag(help, "BYTES", options, (text, name) => {
    const [, number, unit, binary] = /^(\d+(?:\.\d+)?) ?([kmgt]?)(i?)b$/i.exec(text.trim()) ?? [];
    const step = binary ? 1024 : 1000;
    const bytes = Math.floor(Number(number) * step ** UNITS[unit?.toLowerCase()]);
    if (bytes > 0 && !(binary && unit === "")) return bytes;
    throw new UsageError(`--${name} takes a size such as 2GB or 512MiB; found ${quoted(text)}`);
  });
}

function valueFlag<T>(
  help: string,
  value: string,
  options: ValueOptions<T>,
  convert: (text: string, name: string) => T,
): Flag<T | undefined> {
  return {
    help,
    short: options.short,
    value: options.value ?? value,
    shown: options.default === undefined ? undefined : String(options.default),
    read: ([text], name) => text === undefined ? options.default : convert(text, name),
  };
}

function readNumber(text: string, name: string, options: NumberOptions<number>): number {
  const { min = -Infinity, max = Infinity, integer = false } = options;
  const number = text.trim() === "" ? NaN : Number(text);
  if (Number.isFinite(number) && number >= min && number <= max) {
    if (!integer || Number.isInteger(number)) return number;
  }
  const range = min === -Infinity
    ? max === Infinity ? "" : ` of ${max} or less`
    : max === Infinity
    ? ` of ${min} or more`
    : ` from ${min} to ${max}`;
  throw new UsageError(
    `--${name} takes a ${integer ? "whole " : ""}number${range}; found ${quoted(text)}`,
  );
}

/**
 * Reads a command's arguments.
 *
 * @param flags The flags that there are.
 * @param args The arguments after the command's name.
 * @returns The flags' values, and the arguments that are no flags.
 * @throws {UsageError} For an unknown flag, a missing value or one that does not fit.
 */
export function parseFlags<F extends Flags>(
  flags: F,
  args: readonly string[],
): { flags: FlagValues<F>; args: string[] } {
  const names = new Map(Object.keys(flags).map((key) => [flagName(key), flags[key]]));
  const unknown: string[] = [];
  const parsed: Record<string, unknown> = parseArgs([...args], {
    ...parseOptions(names),
    unknown: (arg: string, key?: string) => {
      if (key === undefined) return true;
      unknown.push(arg.startsWith("--") ? arg.replace(/=.*/s, "") : `-${key}`);
      return false;
    },
  });
  checkSwitches(names, args);
  const texts = new Map([...names].map(([name, flag]) => [name, given(name, flag, parsed)]));
  if (unknown.length > 0) {
    const known = [...names.keys()].map((name) => `--${name}`);
    throw new UsageError(`unknown flag ${unknown[0]}${meant(unknown[0], known)}`);
  }
  const values: Record<string, unknown> = {};
  for (const [key, flag] of Object.entries(flags)) {
    values[key] = flag.read(texts.get(flagName(key)) ?? [], flagName(key));
  }
  return { flags: values as FlagValues<F>, args: (parsed._ as unknown[]).map(String) };
}

/** `warmupSteps` as it is typed: `warmup-steps`. */
export function flagName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function parseOptions(names: ReadonlyMap<string, Flag<unknown>>): ParseOptions {
  const those = (is: (flag: Flag<unknown>) => boolean) =>
    [...names].filter(([, flag]) => is(flag)).map(([name]) => name);
  const alias: Record<string, string> = {};
  for (const [name, flag] of names) {
    if (flag.short !== undefined) alias[flag.short] = name;
  }
  return {
    alias,
    boolean: those((flag) => flag.value === undefined),
    // "_" keeps arguments that look like numbers as they were typed.
    string: ["_", ...those((flag) => flag.value !== undefined)],
  };
}

/** `--json=yes` would be read as true, and so would `--json=no`. */
function checkSwitches(names: ReadonlyMap<string, Flag<unknown>>, args: readonly string[]): void {
  const end = args.indexOf("--");
  for (const arg of end < 0 ? args : args.slice(0, end)) {
    const [, name, value] = /^--([^=]+)=(.*)$/s.exec(arg) ?? [];
    const flag = names.get(name);
    if (flag && flag.value === undefined && value !== "true" && value !== "false") {
      throw new UsageError(`--${name} takes no value; found ${quoted(value)}`);
    }
  }
}

/** The texts that a flag was given. */
function given(name: string, flag: Flag<unknown>, parsed: Record<string, unknown>): string[] {
  const found = Object.hasOwn(parsed, name) ? parsed[name] : undefined;
  if (flag.value === undefined) return found === true ? ["true"] : [];
  const texts = (Array.isArray(found) ? found : found === undefined ? [] : [found]).map(String);
  if (texts.includes("")) {
    throw new UsageError(
      `--${name} needs a value, ${flag.value}; one that starts with - is written --${name}=-…`,
    );
  }
  return texts;
}

/** The flags' part of a help text: one flag a line, wrapped to 80 columns. */
export function flagsHelp(flags: Flags): string {
  const rows = Object.entries(flags).map(([key, flag]): [string, string] => {
    const short = flag.short === undefined ? "    " : `-${flag.short}, `;
    const value = flag.value === undefined ? "" : ` ${flag.value}`;
    const note = flag.shown === undefined ? "" : ` (default ${flag.shown})`;
    return [`${short}--${flagName(key)}${value}`, flag.help + note];
  });
  return table(rows);
}

/** Two columns, the second wrapped to 80 columns in all. */
export function table(rows: readonly (readonly [string, string])[]): string {
  const left = Math.min(28, Math.max(0, ...rows.map(([name]) => name.length)));
  return rows.map(([name, text]) => {
    const lines = wrap(text, 76 - left);
    const first = name.length > left
      ? [`  ${name}`, `${" ".repeat(left + 4)}${lines[0]}`]
      : [`  ${name.padEnd(left)}  ${lines[0]}`];
    return [...first, ...lines.slice(1).map((line) => " ".repeat(left + 4) + line)].join("\n");
  }).join("\n");
}

/** Breaks a text into lines of at most `width` characters, at spaces. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

/** "; did you mean X?" where a candidate is near. */
export function meant(word: string, candidates: Iterable<string>): string {
  const near = nearest(word, candidates);
  return near === undefined ? "" : `; did you mean ${near}?`;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
