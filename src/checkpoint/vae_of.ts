import {
  inferVaeShape,
  shapeWords,
  VAE_FAMILIES,
  type VaeConfig,
  type VaeFamily,
  vaeShapes,
} from "../vae/mod.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { readingConfig } from "./config.ts";
import { CheckpointError } from "./errors.ts";
import { guessFamily } from "./family.ts";
import type { VaePart } from "./parts.ts";
import { type PresetName, PRESETS } from "./presets.ts";
import { readVaeConfig } from "./read_vae_config.ts";

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
  const { vae, vaeConfig } = checkpoint;
  if (vae === undefined) {
    throw new CheckpointError(
      checkpoint.path,
      `holds no autoencoder; coda inspect ${checkpoint.path} says what it holds`,
    );
  }
  const { weights } = vae;
  const { scale, shift } = options;
  const file = vaeConfig?.file ?? weights.file;
  const config = readVaeConfig(vaeConfig?.json ?? {}, file, weights, {
    scale,
    shift,
    families: likelyFamilies(vae, options),
  });
  expectNothingElse(vae, config);
  return { ...vae, config };
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
function expectNothingElse({ weights, unknown }: VaePart, config: VaeConfig): void {
  const shapes = vaeShapes(config);
  const isOwn = (name: string) => shapes.has(name.replace(LORA_TENSOR, ".weight"));
  const others = weights.names.filter((name) => !isOwn(name))
    .map((name) => weights.nameInFile(name));
  const [first] = [...unknown, ...others];
  if (first === undefined) return;
  const count = unknown.length + others.length;
  throw new CheckpointError(
    weights.file,
    `is in no autoencoder with ${shapeWords(config)}` +
      `${count > 1 ? `, nor are ${count - 1} others` : ""}; ` +
      `coda inspect ${weights.file} says how it differs from the published ones`,
    { tensor: first },
  );
}
