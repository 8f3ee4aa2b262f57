import {
  PATCH_SIZES_F16,
  PATCH_SIZES_F8,
  type QuantizerConfig,
  quantizerConfigFromJson,
} from "../quantizer/mod.ts";
import { reductionOf, type VaeShape } from "../vae/mod.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { readingConfig } from "./config.ts";
import { CheckpointError } from "./errors.ts";
import type { QuantizerPart } from "./parts.ts";
import type { PresetName } from "./preset_names.ts";
import { PRESETS } from "./presets.ts";
import { buildIn, isCoda, tensorsOf } from "./quantizer_tensors.ts";

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

/** The same of codes that are chosen by distance: van den Oord's, VQGAN's and VAR's. */
const NEAREST_BETA = 0.25;

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
  config: QuantizerConfig,
  file: string | undefined,
): void {
  const { kind = "coda", codebookSize, channels } = config;
  const build = buildIn(weights);
  const other = (field: string, told: string, found: string) =>
    new CheckpointError(
      file ?? weights.file,
      `quantizer.${field} is "${told}", but ${weights.file} has "${found}": ` +
        "put the two files of one model together",
    );
  if (build.kind !== kind) throw other("kind", kind, build.kind);
  // Before memory is taken: another model's config.json may ask for any amount of it.
  weights.expectShape(build.codebook, [codebookSize, channels]);
  if (isCoda(config)) {
    const { attentionDim, norm } = config;
    weights.expectShape("attn.to_q.weight", [attentionDim, channels]);
    if (file !== undefined && build.norm !== "none" && build.norm !== norm) {
      throw other("attn_norm_type", norm, build.norm!);
    }
  }
  const tensors = tensorsOf(config);
  const extra = weights.names.find((name) => !tensors.includes(name));
  if (extra === undefined) return;
  throw new CheckpointError(
    weights.file,
    `is in no quantizer of ${kind === "coda" ? "CODA's" : `kind "${kind}"`}; ` +
      `coda inspect ${weights.file} says what it holds`,
    { tensor: weights.nameInFile(extra) },
  );
}

/** What the weights say, and what they leave to the autoencoder's reduction or the preset. */
function inferred(
  { weights }: QuantizerPart,
  vae: VaeShape,
  options: QuantizerOptions,
): QuantizerConfig {
  const { kind, codebook, norm, shareQuantResi } = buildIn(weights);
  const [codebookSize, channels] = weights.info(codebook).shape;
  const sizes = { codebookSize, channels };
  if (kind === "nearest") {
    const patchSizes = options.patchSizes ?? [Math.max(1, 256 / reductionOf(vae))];
    return { kind, ...sizes, patchSizes, beta: NEAREST_BETA };
  }
  const patchSizes = scalesOf(weights.file, vae, options);
  if (kind === "multiscale") {
    const phi = { quantResi: 0.5, shareQuantResi: shareQuantResi! };
    return { kind, ...sizes, ...phi, patchSizes, beta: NEAREST_BETA };
  }
  const [attentionDim] = weights.info("attn.to_q.weight").shape;
  return { ...sizes, attentionDim, patchSizes, norm: norm!, beta: BETA };
}

/** The sides of the scales' grids, which no weight says. */
function scalesOf(
  file: string,
  vae: VaeShape,
  { patchSizes, preset }: QuantizerOptions,
): readonly number[] {
  const reduction = reductionOf(vae);
  const sizes = patchSizes ?? (preset && PRESETS[preset].patchSizes) ?? PATCH_SIZES[reduction];
  if (sizes !== undefined) return sizes;
  throw new CheckpointError(
    file,
    `does not say the scales of its grids, and none are published for a reduction of ${reduction}; ` +
      "say them as patch_size_list in a config.json beside it",
  );
}

function expectPreset(
  { weights }: QuantizerPart,
  config: QuantizerConfig,
  { preset }: QuantizerOptions,
): void {
  if (preset === undefined) return;
  const expected = PRESETS[preset];
  if (!isCoda(config)) {
    throw new CheckpointError(
      weights.file,
      `is of kind "${config.kind}", but preset ${preset} is CODA's; leave the preset out`,
    );
  }
  const { codebookSize, norm } = config;
  if (codebookSize === expected.codebookSize && norm === expected.norm) return;
  throw new CheckpointError(
    weights.file,
    `has ${codebookSize} codes and norm "${norm}", but preset ${preset} has ` +
      `${expected.codebookSize} and "${expected.norm}"; leave the preset out, or name another folder`,
  );
}
