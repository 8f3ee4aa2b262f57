import { CheckpointError, type Config, configPart } from "../checkpoint/mod.ts";
import { OptionError } from "./errors.ts";
import { type AdaptOptions, type ResolvedOptions, resolveOptions } from "./options.ts";

/** What a field holds, in words, and how it is told. */
interface Kind {
  readonly words: string;
  readonly holds: (value: unknown) => boolean;
}

const isNumber = (value: unknown) => typeof value === "number";
const isText = (value: unknown) => typeof value === "string";
const NUMBER: Kind = { words: "a number", holds: isNumber };
const TEXT: Kind = { words: "a text", holds: isText };
const NUMBERS = listOf("a list of numbers", isNumber);
const TEXTS = listOf("a list of texts", isText);

/** A run writes all of its options, whether they were given or not. */
const KINDS: Readonly<Record<keyof AdaptOptions, Kind>> = {
  vae: optional(TEXT),
  from: optional(TEXT),
  scale: optional(NUMBER),
  shift: optional(NUMBER),
  images: TEXTS,
  steps: NUMBER,
  warmupSteps: NUMBER,
  batch: NUMBER,
  warmupBatch: NUMBER,
  warmupCrops: NUMBER,
  imageSize: NUMBER,
  codebookSize: NUMBER,
  patchSizes: NUMBERS,
  rank: NUMBER,
  targets: TEXTS,
  lr: NUMBER,
  warmupLr: optional(NUMBER),
  seed: NUMBER,
  saveEvery: NUMBER,
  keep: NUMBER,
  logEvery: NUMBER,
};

/**
 * The options in a run's config.json, `training`.
 *
 * @param file The name of config.json, for messages.
 * @throws {CheckpointError} where one is missing, of the wrong kind or out of range.
 */
export function readOptions(config: Config, file: string): ResolvedOptions {
  const training = configPart(config, "training", file);
  for (const [name, { words, holds }] of Object.entries(KINDS)) {
    if (holds(training[name])) continue;
    const found = JSON.stringify(training[name]) ?? "missing";
    throw new CheckpointError(file, `training.${name} is ${found}, expected ${words}`);
  }
  try {
    return resolveOptions(training as unknown as AdaptOptions); // KINDS has seen to it
  } catch (cause) {
    if (!(cause instanceof OptionError)) throw cause;
    throw new CheckpointError(file, `training.${cause.message}`, { cause });
  }
}

function listOf(words: string, holds: (value: unknown) => boolean): Kind {
  return { words, holds: (value) => Array.isArray(value) && value.every(holds) };
}

function optional({ words, holds }: Kind): Kind {
  return { words, holds: (value) => value === undefined || holds(value) };
}
