import type { AdaptOptions } from "./options.ts";

/** What a field holds, in words, and how it is told. */
export interface Kind {
  /** For example "a number". */
  readonly words: string;
  /** Whether a value is of it. */
  readonly holds: (value: unknown) => boolean;
}

const isNumber = (value: unknown) => typeof value === "number";
const isText = (value: unknown) => typeof value === "string";
const NUMBER: Kind = { words: "a number", holds: isNumber };
const BOOLEAN: Kind = { words: "true or false", holds: (value) => typeof value === "boolean" };
const TEXT: Kind = { words: "a text", holds: isText };
const NUMBERS = listOf("a list of numbers", isNumber);
const TEXTS = listOf("a list of texts", isText);

/** What each option of a run is. A run's config.json has all of them that are not optional. */
export const OPTION_KINDS: Readonly<Record<keyof AdaptOptions, Kind>> = {
  task: TEXT,
  vae: optional(TEXT),
  from: optional(TEXT),
  scale: optional(NUMBER),
  shift: optional(NUMBER),
  architecture: optional(TEXT),
  images: TEXTS,
  steps: NUMBER,
  warmupSteps: NUMBER,
  batch: NUMBER,
  warmupBatch: NUMBER,
  warmupCrops: NUMBER,
  imageSize: NUMBER,
  quantizer: TEXT,
  codebookSize: NUMBER,
  patchSizes: optional(NUMBERS),
  rank: NUMBER,
  targets: TEXTS,
  accumulate: NUMBER,
  checkpointing: BOOLEAN,
  halfActivations: optional(BOOLEAN),
  perceptual: optional(TEXT),
  vgg: optional(TEXT),
  lpips: optional(TEXT),
  dino: optional(TEXT),
  discWeight: NUMBER,
  lr: NUMBER,
  warmupLr: optional(NUMBER),
  seed: NUMBER,
  saveEvery: NUMBER,
  keep: NUMBER,
  logEvery: NUMBER,
  sampleEvery: NUMBER,
  heldout: optional(TEXT),
  evalImages: NUMBER,
  evalEvery: NUMBER,
};

function listOf(words: string, holds: (value: unknown) => boolean): Kind {
  return { words, holds: (value) => Array.isArray(value) && value.every(holds) };
}

function optional({ words, holds }: Kind): Kind {
  return { words, holds: (value) => value === undefined || holds(value) };
}
