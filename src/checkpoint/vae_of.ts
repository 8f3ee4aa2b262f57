import {
  inferVaeShape,
  knownScaling,
  type Scaling,
  shapeWords,
  toldScaling,
  unknownScaling,
  VAE_FAMILIES,
  type VaeConfig,
  type VaeShape,
  vaeShapeFrom,
  vaeShapes,
} from "../vae/mod.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { readingConfig } from "./config.ts";
import { CheckpointError } from "./errors.ts";
import { type FamilyGuess, guessByScale, guessFamily } from "./family.ts";
import type { VaePart } from "./parts.ts";
import type { PresetName } from "./preset_names.ts";
import { PRESETS } from "./presets.ts";

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
  /** The published families of its shape, and what tells them apart. */
  readonly guess: FamilyGuess;
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
 * @throws {CheckpointError} as {@link vaeOf}, but for a scale that nothing says.
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
  const family = familyOf(vae, options);
  const { shape, told } = readingConfig(file, () => ({
    shape: vaeShapeFrom(json, vae.weights, file),
    told: toldScaling(json, file, options),
  }), vae.weights.file);
  expectNothingElse(vae, shape);
  const guess = guessByScale(family, told.scale);
  const scaling = knownScaling(shape, told, guess.families);
  const byConfig = told.scale === undefined ? "family" : "config";
  const scaledBy = scaling && (options.scale === undefined ? byConfig : "option");
  return { ...vae, shape, scaling, scaledBy, guess };
}

/** The families whose shape the weights have; the preset's, where one is given. */
function familyOf({ weights, file }: VaePart, { preset }: VaeOptions): FamilyGuess {
  const shape = readingConfig(weights.file, () => inferVaeShape(weights));
  const guess = guessFamily(shape, file);
  if (preset === undefined) return guess;
  const family = VAE_FAMILIES.find(({ name }) => name === PRESETS[preset].family)!;
  if (guess.families.includes(family)) return { ...guess, families: [family], by: "preset" };
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

/** The convolutions that have an adapter, or half of one, by their names. */
export function adaptedConvs({ names }: VaePart["weights"]): ReadonlySet<string> {
  const tensors = names.filter((name) => LORA_TENSOR.test(name));
  return new Set(tensors.map((name) => name.replace(LORA_TENSOR, "")));
}

/** Refuses an autoencoder of this shape of which something is missing. */
export function expectWhole(weights: VaePart["weights"], shape: VaeShape): void {
  for (const [name, expected] of vaeShapes(shape)) weights.expectShape(name, expected);
  for (const conv of adaptedConvs(weights)) {
    const [out, input, height, width] = weights.info(`${conv}.weight`).shape;
    const [rank] = weights.info(`${conv}.lora_layer.down.weight`).shape;
    weights.expectShape(`${conv}.lora_layer.down.weight`, [rank, input, height, width]);
    weights.expectShape(`${conv}.lora_layer.up.weight`, [out, rank, 1, 1]);
  }
}
