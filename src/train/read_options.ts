import { CheckpointError, type Config, configPart } from "../checkpoint/mod.ts";
import { OptionError } from "./errors.ts";
import { OPTION_KINDS } from "./option_kinds.ts";
import { type AdaptOptions, type ResolvedOptions, resolveOptions } from "./options.ts";

/**
 * The options in a run's config.json, `training`.
 *
 * @param file The name of config.json, for messages.
 * @throws {CheckpointError} where one is missing, of the wrong kind or out of range.
 */
export function readOptions(config: Config, file: string): ResolvedOptions {
  const training = configPart(config, "training", file);
  for (const [name, { words, holds }] of Object.entries(OPTION_KINDS)) {
    if (holds(training[name])) continue;
    const found = JSON.stringify(training[name]) ?? "missing";
    throw new CheckpointError(file, `training.${name} is ${found}, expected ${words}`);
  }
  try {
    return resolveOptions(training as unknown as AdaptOptions); // OPTION_KINDS has seen to it
  } catch (cause) {
    if (!(cause instanceof OptionError)) throw cause;
    throw new CheckpointError(file, `training.${cause.message}`, { cause });
  }
}
