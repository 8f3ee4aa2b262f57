/** The file of `coda adapt --config`. */
import { extname } from "@std/path";
import { parse as parseToml } from "@std/toml/parse";
import { OPTION_KINDS } from "../../train/option_kinds.ts";
import type { AdaptOptions } from "../../train/mod.ts";
import { ADAPT_PRESET_NAMES, type AdaptPresetName } from "../../train/preset_names.ts";
import { UsageError } from "../errors.ts";
import { meant } from "../flags.ts";

/** How a file is read, by its name's end. */
const FORMATS: Readonly<Record<string, { name: string; parse: (text: string) => unknown }>> = {
  ".toml": { name: "TOML", parse: parseToml },
  ".json": { name: "JSON", parse: JSON.parse },
};

/** What a file says. */
export interface ConfigFile {
  /** The preset that it builds on, where it names one. */
  readonly preset: AdaptPresetName | undefined;
  /** The options in it. */
  readonly options: Partial<AdaptOptions>;
}

/**
 * Reads the options of a run from a TOML or JSON file, under the names that a run's config.json has in
 * `training`; `preset` may stand beside them.
 *
 * @throws {UsageError} where there is no such file, it is neither, or a key or value is no option.
 */
export async function readConfigFile(path: string): Promise<ConfigFile> {
  const { preset, ...options } = parse(path, await read(path));
  if (preset !== undefined) expectPreset(path, preset);
  for (const [key, value] of Object.entries(options)) expectOption(path, key, value);
  return { preset, options: options as Partial<AdaptOptions> }; // each was looked at
}

async function read(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound
      ? "there is no such file"
      : `cannot be read: ${messageOf(error)}`;
    throw new UsageError(`--config ${path}: ${why}`);
  }
}

function parse(path: string, text: string): Record<string, unknown> {
  const format = FORMATS[extname(path).toLowerCase()];
  if (!format) {
    throw new UsageError(`--config ${path}: expected a file that ends in .toml or .json`);
  }
  let value: unknown;
  try {
    value = format.parse(text);
  } catch (error) {
    throw new UsageError(`--config ${path}: is no ${format.name}: ${messageOf(error)}`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new UsageError(`--config ${path}: found ${JSON.stringify(value)}, expected an object`);
}

function expectPreset(path: string, value: unknown): asserts value is AdaptPresetName {
  if (ADAPT_PRESET_NAMES.some((name) => name === value)) return;
  const near = typeof value === "string" ? meant(value, ADAPT_PRESET_NAMES) : "";
  throw new UsageError(
    `--config ${path}: preset is ${JSON.stringify(value)}, ` +
      `expected one of ${ADAPT_PRESET_NAMES.join(", ")}${near}`,
  );
}

function expectOption(path: string, key: string, value: unknown): void {
  if (!Object.hasOwn(OPTION_KINDS, key)) {
    const near = meant(key, [...Object.keys(OPTION_KINDS), "preset"]);
    throw new UsageError(`--config ${path}: there is no option ${key}${near}`);
  }
  const { words, holds } = OPTION_KINDS[key as keyof AdaptOptions];
  if (holds(value)) return;
  throw new UsageError(
    `--config ${path}: ${key} is ${JSON.stringify(value)}, expected ${words}`,
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
