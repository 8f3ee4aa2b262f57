import { type Config, parseConfig, readConfig } from "./config.ts";
import { CheckpointError } from "./errors.ts";
import { findFiles } from "./folder.ts";
import { isHubReference } from "./hub/reference.ts";
import { pullCheckpoint } from "./hub/pull.ts";
import { openTensors } from "./open_tensors.ts";
import {
  findQuantizer,
  findVae,
  type QuantizerPart,
  type VaePart,
  type WeightsKind,
} from "./parts.ts";
import type { TensorFile } from "./source.ts";

/** A part of a checkpoint's config.json, with the file's name for messages. */
export interface ConfigPart {
  /** The fields. */
  readonly json: Config;
  /** The file. */
  readonly file: string;
}

/** What was named: its files, open, and the models in them. */
export interface Checkpoint extends Disposable {
  /** What was named. */
  readonly path: string;
  /** The weight files. */
  readonly files: readonly TensorFile[];
  /** The autoencoder, where there is one. */
  readonly vae?: VaePart;
  /** What config.json says of it. */
  readonly vaeConfig?: ConfigPart;
  /** The quantizer, where there is one. */
  readonly quantizer?: QuantizerPart;
  /** What config.json says of it. */
  readonly quantizerConfig?: ConfigPart;
}

/**
 * Opens whatever a path names: a weight file, the index of a sharded one, or a folder: one that `coda
 * adapt` wrote, an official CODA folder, a diffusers folder, or one with a weight file; or such a place on
 * a hub, `hf:owner/name[/path][@revision]`, which is pulled first. Only headers are read.
 *
 * @param kind Which weights are wanted where there are moving averages too.
 * @throws {CheckpointError} where there is nothing, or a file is unsound.
 */
export async function openCheckpoint(
  path: string,
  kind: WeightsKind = "ema",
): Promise<Checkpoint> {
  const here = isHubReference(path) ? (await pullCheckpoint(path, { weights: kind })).path : path;
  const { weights, config: configFile, isFolder } = await findFiles(here, kind);
  const json = configFile === undefined ? undefined : await readConfig(configFile);
  const isAbout = json !== undefined && (isFolder || isOurs(json));
  const beside = isAbout ? { json, file: configFile! } : undefined;
  const files: TensorFile[] = [];
  try {
    for (const file of weights) files.push(await openTensors(file));
    return assemble(path, files, beside, { kind, isFolder });
  } catch (error) {
    for (const file of files) file.close();
    throw error;
  }
}

/**
 * The checkpoint of files that are open already.
 *
 * @param beside The config.json beside them, where there is one.
 * @param options.isFolder Whether it goes over what the files say of themselves: it is those of a folder
 * that was named, and not what lies beside a file that was.
 */
export function assemble(
  path: string,
  files: readonly TensorFile[],
  beside: ConfigPart | undefined,
  { kind = "ema", isFolder = true }: { kind?: WeightsKind; isFolder?: boolean } = {},
): Checkpoint {
  const vae = first(files, (file) => findVae(file, kind));
  const quantizer = first(files, (file) => findQuantizer(file, kind));
  const told = (name: "vae" | "quantizer", part: VaePart | QuantizerPart | undefined) => {
    const own = part && configIn(part.file);
    return first(
      isFolder ? [beside, own] : [own, beside],
      (config) => config && partOf(config, name),
    );
  };
  return {
    path,
    files,
    vae,
    quantizer,
    vaeConfig: told("vae", vae),
    quantizerConfig: told("quantizer", quantizer),
    [Symbol.dispose]() {
      for (const file of files) file.close();
    },
  };
}

/** The text of a file's metadata that holds its config.json, as `coda convert` writes it. */
export const CONFIG_TEXT = "coda.config";

/** The config.json that a file carries in its metadata. */
function configIn({ metadata, file }: TensorFile): ConfigPart | undefined {
  const text = metadata[CONFIG_TEXT];
  const name = `${CONFIG_TEXT} of ${file}`;
  return text === undefined ? undefined : { json: parseConfig(text, name), file: name };
}

/** A tokenizer's config.json has a part for each model, an autoencoder's is the autoencoder's alone. */
function partOf({ json, file }: ConfigPart, name: "vae" | "quantizer"): ConfigPart | undefined {
  const isTokenizer = Object.hasOwn(json, "quantizer") || Object.hasOwn(json, "vae");
  if (!isTokenizer) return name === "vae" ? { json, file } : undefined;
  const part = json[name];
  if (part === undefined) return undefined;
  if (typeof part === "object" && part !== null && !Array.isArray(part)) {
    return { json: part as Config, file };
  }
  throw new CheckpointError(
    file,
    `"${name}" is ${JSON.stringify(part)}, expected an object; ` +
      "name a folder that coda adapt wrote, or write it again",
  );
}

/** Whether a config.json beside a file that was named is an autoencoder's or a tokenizer's. */
function isOurs(json: Config): boolean {
  const { _class_name: name } = json;
  if (name !== undefined) return name === "AutoencoderKL";
  return ["vae", "latent_channels", "scaling_factor"].some((field) => Object.hasOwn(json, field));
}

function first<From, To>(all: readonly From[], find: (one: From) => To | undefined) {
  for (const one of all) {
    const found = find(one);
    if (found !== undefined) return found;
  }
  return undefined;
}
