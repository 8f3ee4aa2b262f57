import { CheckpointError } from "./errors.ts";
import { parseJson } from "./json.ts";
import { MAX_CONFIG_BYTES } from "./limits.ts";

/** A parsed config.json. */
export type Config = Readonly<Record<string, unknown>>;

/**
 * Reads a JSON object from a file.
 *
 * @throws {CheckpointError} where there is no such file or it holds no JSON object.
 */
export async function readConfig(path: string): Promise<Config> {
  let text: string;
  try {
    const { size } = await Deno.stat(path);
    if (size > MAX_CONFIG_BYTES) {
      throw new RangeError(`it has ${size} bytes, at most ${MAX_CONFIG_BYTES} are read`);
    }
    text = await Deno.readTextFile(path);
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound
      ? "there is no such file; name a folder that holds it beside the weights"
      : `cannot be read: ${cause instanceof Error ? cause.message : cause}`;
    throw new CheckpointError(path, why, { cause });
  }
  return parseConfig(text, path);
}

/** Parses a config.json's text; `file` is its name for messages. */
export function parseConfig(text: string, file: string): Config {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw new CheckpointError(file, `is no JSON (${(cause as Error).message}); write it again`, {
      cause,
    });
  }
  return configPart({ value }, "value", file);
}

/** An object inside a config. @throws {CheckpointError} where it is missing or no object. */
export function configPart(config: Config, name: string, file: string): Config {
  const part = config[name];
  if (typeof part === "object" && part !== null && !Array.isArray(part)) return part as Config;
  const what = name === "value" ? "the file's content" : `"${name}"`;
  throw new CheckpointError(
    file,
    `${what} is ${JSON.stringify(part) ?? "missing"}, expected an object; ` +
      "name a folder that coda adapt wrote, or write it again",
  );
}

/**
 * Calls a reader of a config. What it has to say of a field becomes the file's error.
 *
 * @param file The file at fault where the reader names none.
 * @param others Other files that the reader may name, each at the beginning of its message.
 * @throws {CheckpointError} for the reader's TypeError.
 */
export function readingConfig<T>(file: string, read: () => T, ...others: string[]): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    const { message } = cause;
    const named = [file, ...others].find((name) => message.startsWith(`${name}: `));
    const problem = named === undefined ? message : message.slice(`${named}: `.length);
    throw new CheckpointError(named ?? file, problem, { cause });
  }
}
