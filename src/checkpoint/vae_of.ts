import {
  inferVaeShape,
  knownScaling,
  type Scaling,
  shapeWords,
  toldScaling,
  unknownScaling,
  VAE_FAMILIES,
  type VaeConfig,
  type VaeFamily,
  type VaeShape,
  vaeShapeFrom,
  vaeShapes,
} from "../vae/mod.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { readingConfig } from "./config.ts";
import { CheckpointError } from "./errors.ts";
import { guessFamily } from "./family.ts";
import type { VaePart } from "./parts.ts";
import { type PresetName, PRESETS } from "./presets.ts";

/** The tensors of an adapter, behind its convolution's name. */
export const LORA_TENSOR = /\.lora_layer\.(?:down|up)\.weight$/;

/** What is known of an autoencoder beside its files. */
export interface VaeOptions {
  /** The latent's scale, whatever the files say. */
  readonly scale?: number;
  /** The latent's shift, whatever the files say. */
  readonly shift?: number;
  /** The published tokenizer that it is of. */
  readonly preset?: PresetName;
}

/** An autoencoder's tensors with their shape, and what is known of its latent. */
export interface DescribedVae extends VaePart {
  /** Its shape, which the tensors have. */
  readonly shape: VaeShape;
  /** By what its latent is scaled and shifted, where something says it. */
  readonly scaling: Scaling | undefined;
  /** What says the scale: an option, config.json, or the published family. */
  readonly scaledBy: "option" | "config" | "family" | undefined;
}

/** An autoencoder's tensors with its configuration, the two checked against each other. */
export interface VaeSource extends VaePart {
  /** Its configuration. */
  readonly config: VaeConfig;
}

/**
 * The autoencoder of a checkpoint.
 *
 * @throws {CheckpointError} where there is none, where its files do not agree, where nothing says its
 * scale, or where it has tensors that no network here has.
 */
export function vaeOf(checkpoint: Checkpoint, options: VaeOptions = {}): VaeSource {
  const { shape, scaling, ...part } = describeVae(checkpoint, options);
  const { file } = part.weights;
  if (scaling) return { ...part, config: { ...shape, ...scaling } };
  return readingConfig(file, () => {
    throw unknownScaling(shape, file);
  });
}

/**
 * What the autoencoder of a checkpoint is, be its scale known or not.
 *
 * @throws {CheckpointError} as {@link vaeOf}, but for the scale.
 */
export function describeVae(checkpoint: Checkpoint, options: VaeOptions = {}): DescribedVae {
  const { path, vae, vaeConfig } = checkpoint;
  if (vae === undefined) {
    throw new CheckpointError(
      path,
      `holds no autoencoder; coda inspect ${path} says what it holds`,
    );
  }
  const { json, file } = vaeConfig ?? { json: {}, file: vae.weights.file };
  const families = likelyFamilies(vae, options);
  const { shape, told } = readingConfig(file, () => ({
    shape: vaeShapeFrom(json, vae.weights, file),
    told: toldScaling(json, file, options),
  }), vae.weights.file);
  expectNothingElse(vae, shape);
  const scaling = knownScaling(shape, told, families);
  const byConfig = told.scale === undefined ? "family" : "config";
  const scaledBy = scaling && (options.scale === undefined ? byConfig : "option");
  return { ...vae, shape, scaling, scaledBy };
}

/** The families whose shape the weights have, the likeliest first. */
function likelyFamilies({ weights, file }: VaePart, { preset }: VaeOptions): readonly VaeFamily[] {
  const shape = readingConfig(weights.file, () => inferVaeShape(weights));
  const { families } = guessFamily(shape, file);
  if (preset === undefined) return families;
  const family = VAE_FAMILIES.find(({ name }) => name === PRESETS[preset].family)!;
  if (families.includes(family)) return [family];
  throw new CheckpointError(
    weights.file,
    `has ${shapeWords(shape)}, but preset ${preset} is ${family.name}'s: ` +
      `${shapeWords(family.config)}; leave the preset out, or name another file`,
  );
}

/** Refuses what would be left out without a word and make another network of it. */
function expectNothingElse({ weights, unknown }: VaePart, shape: VaeShape): void {
  const shapes = vaeShapes(shape);
  const isOwn = (name: string) => shapes.has(name.replace(LORA_TENSOR, ".weight"));
  const others = weights.names.filter((name) => !isOwn(name))
    .map((name) => weights.nameInFile(name));
  const [first] = [...unknown, ...others];
  if (first === undefined) return;
  const count = unknown.length + others.length;
  throw new CheckpointError(
    weights.file,
    `is in no autoencoder with ${shapeWords(shape)}` +
      `${count > 1 ? `, nor are ${count - 1} others` : ""}; ` +
      `coda inspect ${weights.file} says how it differs from the published ones`,
    { tensor: first },
  );
}
