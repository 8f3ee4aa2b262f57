import {
  PATCH_SIZES_F16,
  PATCH_SIZES_F8,
  type QuantizerConfig,
  quantizerConfigFromJson,
  type QuantizerNorm,
} from "../quantizer/mod.ts";
import { reductionOf, type VaeShape } from "../vae/mod.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { readingConfig } from "./config.ts";
import { CheckpointError } from "./errors.ts";
import type { QuantizerPart } from "./parts.ts";
import type { PresetName } from "./preset_names.ts";
import { PRESETS } from "./presets.ts";

/** What is known of a quantizer beside its files. */
export interface QuantizerOptions {
  /** The sides of the scales' grids, coarse to fine, whatever the files say. */
  readonly patchSizes?: readonly number[];
  /** The published tokenizer that it is of. */
  readonly preset?: PresetName;
}

/** A quantizer's tensors with its configuration, the two checked against each other. */
export interface QuantizerSource extends QuantizerPart {
  /** Its configuration. */
  readonly config: QuantizerConfig;
}

/** The weight of the commitment loss where no config.json says it: the recipe's. */
const BETA = 0.05;

/** The tensors of a quantizer by its norm. */
export const QUANTIZER_TENSORS: Readonly<Record<QuantizerNorm, readonly string[]>> = {
  none: tensorsWith(),
  rms: tensorsWith("weight"),
  layer: tensorsWith("weight", "bias"),
};

function tensorsWith(...norm: readonly string[]): readonly string[] {
  const maps = ["to_q", "to_k", "to_v"].flatMap((map) => [`${map}.weight`, `${map}.bias`]);
  const norms = ["norm_q", "norm_k"].flatMap((name) => norm.map((part) => `${name}.${part}`));
  return ["codebooks.weight", ...[...maps, ...norms].map((name) => `attn.${name}`)];
}

/** The published scales by the reduction of the autoencoder. */
export const PATCH_SIZES: Readonly<Record<number, readonly number[]>> = {
  8: PATCH_SIZES_F8,
  16: PATCH_SIZES_F16,
};

/**
 * What config.json says of a checkpoint's quantizer; undefined where there is no config.json.
 *
 * @throws {CheckpointError} where the checkpoint has no quantizer, or config.json says none.
 */
export function toldQuantizer({ path, vae, quantizer, quantizerConfig }: Checkpoint) {
  if (quantizer === undefined) {
    throw new CheckpointError(
      path,
      vae === undefined
        ? `holds no tokenizer; coda inspect ${path} says what it holds`
        : "holds an autoencoder and no quantizer, so it is no tokenizer yet: " +
          `coda adapt --vae ${path} makes it one`,
    );
  }
  if (quantizerConfig === undefined) return undefined;
  const { json, file } = quantizerConfig;
  return { file, config: readingConfig(file, () => quantizerConfigFromJson(json, file)) };
}

/**
 * The quantizer of a checkpoint, for an autoencoder of this shape.
 *
 * @throws {CheckpointError} where there is none, where its files do not agree with each other, the
 * autoencoder or the preset, or where nothing says its scales.
 */
export function quantizerOf(
  checkpoint: Checkpoint,
  vae: VaeShape,
  options: QuantizerOptions = {},
): QuantizerSource {
  const told = toldQuantizer(checkpoint);
  const quantizer = checkpoint.quantizer!;
  const config = told?.config ?? inferred(quantizer, vae, options);
  expectConfig(quantizer, config, told?.file);
  expectPreset(quantizer, config, options);
  const { file } = quantizer.weights;
  if (config.channels !== vae.latentChannels) {
    throw new CheckpointError(
      file,
      `quantizes ${config.channels} channels, the autoencoder's latent has ` +
        `${vae.latentChannels}; put the two files of one model together`,
    );
  }
  const patchSizes = options.patchSizes ?? config.patchSizes;
  return { ...quantizer, config: { ...config, patchSizes } };
}

/** Refuses weights that are of another quantizer than the configuration. */
function expectConfig(
  { weights }: QuantizerPart,
  { codebookSize, channels, attentionDim, norm }: QuantizerConfig,
  file: string | undefined,
): void {
  // Before memory is taken: another model's config.json may ask for any amount of it.
  weights.expectShape("codebooks.weight", [codebookSize, channels]);
  weights.expectShape("attn.to_q.weight", [attentionDim, channels]);
  const found = normIn(weights);
  if (file !== undefined && found !== "none" && found !== norm) {
    throw new CheckpointError(
      file,
      `quantizer.attn_norm_type is "${norm}", but ${weights.file} has "${found}": ` +
        "put the two files of one model together",
    );
  }
  const extra = weights.names.find((name) => !QUANTIZER_TENSORS[norm].includes(name));
  if (extra === undefined) return;
  throw new CheckpointError(
    weights.file,
    `is in no quantizer of CODA's; coda inspect ${weights.file} says what it holds`,
    { tensor: weights.nameInFile(extra) },
  );
}

/** What the weights say, and what they leave to the autoencoder's reduction or the preset. */
function inferred(
  { weights }: QuantizerPart,
  vae: VaeShape,
  { patchSizes, preset }: QuantizerOptions,
): QuantizerConfig {
  const [codebookSize, channels] = weights.info("codebooks.weight").shape;
  const [attentionDim] = weights.info("attn.to_q.weight").shape;
  const reduction = reductionOf(vae);
  const sizes = patchSizes ?? (preset && PRESETS[preset].patchSizes) ?? PATCH_SIZES[reduction];
  if (sizes === undefined) {
    throw new CheckpointError(
      weights.file,
      `does not say the scales of its grids, and none are published for a reduction of ${reduction}; ` +
        "say them as patch_size_list in a config.json beside it",
    );
  }
  return {
    codebookSize,
    channels,
    attentionDim,
    patchSizes: sizes,
    norm: normIn(weights),
    beta: BETA,
  };
}

/** The normalisation whose parameters there are: RMSNorm has a weight, LayerNorm a bias too. */
export function normIn(weights: QuantizerPart["weights"]): QuantizerNorm {
  if (!weights.has("attn.norm_q.weight")) return "none";
  return weights.has("attn.norm_q.bias") ? "layer" : "rms";
}

function expectPreset(
  { weights }: QuantizerPart,
  { codebookSize, norm }: QuantizerConfig,
  { preset }: QuantizerOptions,
): void {
  if (preset === undefined) return;
  const expected = PRESETS[preset];
  if (codebookSize === expected.codebookSize && norm === expected.norm) return;
  throw new CheckpointError(
    weights.file,
    `has ${codebookSize} codes and norm "${norm}", but preset ${preset} has ` +
      `${expected.codebookSize} and "${expected.norm}"; leave the preset out, or name another folder`,
  );
}
