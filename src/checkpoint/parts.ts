import { CheckpointError, quote } from "./errors.ts";
import { layoutOf, levelsOf, translate } from "./key_names.ts";
import type { KeyLayout } from "./layouts.ts";
import { RenamedFile, type Renaming } from "./renamed.ts";
import type { TensorFile } from "./source.ts";

/** Which of two sets of weights is wanted where a checkpoint has both: the moving average, or the last. */
export type WeightsKind = "ema" | "trained";

/** An autoencoder's tensors among a file's. */
export interface VaePart {
  /** The file, with whatever else is in it. */
  readonly file: TensorFile;
  /** They, under LDM's names and with LDM's shapes. */
  readonly weights: RenamedFile;
  /** How the file names them. */
  readonly layout: KeyLayout;
  /** What stands before each name in the file. */
  readonly prefix: string;
  /** Tensors beside them, by their names in the file, that are in no autoencoder known here. */
  readonly unknown: readonly string[];
}

/** A quantizer's tensors among a file's. */
export interface QuantizerPart {
  /** The file, with whatever else is in it. */
  readonly file: TensorFile;
  /** They, under the official names. */
  readonly weights: RenamedFile;
  /** What stands before each name in the file. */
  readonly prefix: string;
}

/** A tensor that every model of a kind has, by which it is found whatever stands before its name. */
const VAE_ANCHORS = ["decoder.conv_in.weight", "encoder.conv_in.weight"];
const QUANTIZER_ANCHORS = ["codebooks.weight"];

/** The codebook of a quantizer that chooses the nearest code: other models have embeddings too. */
const NEAREST_ANCHORS = ["embedding.weight"];
const QUANTIZER_PREFIX = /^(?:.*\.)?quantizer?\.$/;

/** What an autoencoder's names begin with, behind the prefix. */
const VAE_NAME = /^(?:encoder|decoder|quant_conv|post_quant_conv)\./;
const QUANTIZER_NAME = /^(?:codebooks|attn|embedding|quant_resi)\./;

/** Names of dictionaries that hold moving averages. */
const AVERAGES = /(?:^|[._])(?:ema|ema_model|model_ema|averaged?|shadow)(?:[._]|$)/;

/** What usually stands before an autoencoder's names, the likeliest first, averages aside. */
const PREFIXES: readonly string[] = [
  "",
  "vae.",
  "first_stage_model.",
  "model.",
  "state_dict.",
  "model.vae.",
  "state_dict.first_stage_model.",
  "model.first_stage_model.",
];

/**
 * The autoencoder in a file, in whatever layout and below whatever prefix; undefined where there is
 * none.
 *
 * @throws {CheckpointError} where there are several and nothing says which is meant.
 */
export function findVae(file: TensorFile, kind: WeightsKind = "ema"): VaePart | undefined {
  const prefix = findPrefix(file, VAE_ANCHORS, kind);
  if (prefix === undefined) return undefined;
  const own = namesBelow(file, prefix, VAE_NAME);
  const layout = layoutOf(own);
  const levels = levelsOf(own, layout);
  const renamings: Renaming[] = [];
  const unknown: string[] = [];
  for (const name of own) {
    const stored = prefix + name;
    const found = translate(name, layout, "ldm", levels);
    if (found === undefined) unknown.push(stored);
    else renamings.push({ name: found.name, stored, ...asConvolution(file, stored, found) });
  }
  const missing = (name: string) => prefix + (translate(name, "ldm", layout, levels)?.name ?? name);
  return { file, weights: new RenamedFile(file, renamings, missing), layout, prefix, unknown };
}

/** The [out, in, 1, 1] of a linear map's [out, in]; both are found in files of either layout. */
function asConvolution(file: TensorFile, stored: string, { isLinear }: { isLinear: boolean }) {
  const { shape } = file.info(stored);
  return isLinear && shape.length === 2 ? { shape: [...shape, 1, 1] } : {};
}

/**
 * The quantizer in a file, below whatever prefix; undefined where there is none.
 *
 * @throws {CheckpointError} where there are several and nothing says which is meant.
 */
export function findQuantizer(
  file: TensorFile,
  kind: WeightsKind = "ema",
): QuantizerPart | undefined {
  const prefix = findPrefix(file, QUANTIZER_ANCHORS, kind) ??
    findPrefix(file, NEAREST_ANCHORS, kind, QUANTIZER_PREFIX);
  if (prefix === undefined) return undefined;
  const renamings = namesBelow(file, prefix, QUANTIZER_NAME)
    .map((name) => ({ name, stored: prefix + name }));
  return { file, weights: new RenamedFile(file, renamings, (name) => prefix + name), prefix };
}

function namesBelow(file: TensorFile, prefix: string, own: RegExp): string[] {
  return file.names.filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length)).filter((name) => own.test(name));
}

/** What stands before a model's names, and looks so; of several the wanted kind, then the likeliest. */
function findPrefix(
  file: TensorFile,
  anchors: readonly string[],
  kind: WeightsKind,
  pattern = /^/,
): string | undefined {
  const all = new Set(file.names.flatMap((name) => {
    const anchor = anchors.find((anchor) => name === anchor || name.endsWith(`.${anchor}`));
    const prefix = name.slice(0, name.length - (anchor?.length ?? 0));
    return anchor !== undefined && pattern.test(prefix) ? [prefix] : [];
  }));
  const wanted = [...all].filter((prefix) => AVERAGES.test(prefix) === (kind === "ema"));
  const candidates = wanted.length > 0 ? wanted : [...all];
  if (candidates.length < 2) return candidates[0];
  const likely = PREFIXES.find((prefix) => candidates.includes(prefix));
  if (likely !== undefined) return likely;
  const names = candidates.sort().map(quote).join(", ");
  throw new CheckpointError(
    file.file,
    `holds ${candidates.length} models of one kind, below ${names}; leave one in it`,
  );
}
