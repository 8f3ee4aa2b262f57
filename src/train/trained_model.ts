import type { DinoDiscriminator, Perceptual } from "../losses/mod.ts";
import type { Lora, Parameters } from "../nn/mod.ts";
import type { CodaQuantizer, Quantizer } from "../quantizer/mod.ts";
import type { AutoencoderKL } from "../vae/mod.ts";

/**
 * What a run trains: of an autoencoder its adapters, all of its own weights, or nothing; and a quantizer,
 * unless the autoencoder stays continuous.
 */
export interface TrainedModel {
  /** The autoencoder. */
  readonly vae: AutoencoderKL;
  /** The adapters in it, with their values: they are trained, and its own weights stay as they are. */
  readonly lora?: Lora;
  /** Whether its own weights are trained, where it has no adapters; false unless given. */
  readonly trainsVae?: boolean;
  /** The quantizer, with its values; without one the latent is decoded as it was drawn. */
  readonly quantizer?: Quantizer;
}

/** A continuous VAE that is adapted to discrete tokens: LoRA in its convolutions, and a quantizer. */
export interface AdaptedModel extends TrainedModel {
  /** The adapters. */
  readonly lora: Lora;
  /** CODA's quantizer. */
  readonly quantizer: CodaQuantizer;
}

/** Networks that judge reconstructions. They belong to the caller; without one its losses are not there. */
export interface Critics {
  /** By how images look; frozen. */
  readonly perceptual?: Perceptual;
  /** Trained in the same steps to tell reconstructions from images. */
  readonly discriminator?: DinoDiscriminator;
}

/** The parameters of the autoencoder that are trained, and the name of their set in a run's files. */
export function trainedPart(
  { vae, lora, trainsVae = false }: TrainedModel,
): { readonly name: "lora" | "vae"; readonly parameters: Parameters } | undefined {
  if (lora) {
    if (trainsVae) throw new TypeError("a model with adapters trains these: leave out trainsVae");
    return { name: "lora", parameters: lora.parameters };
  }
  return trainsVae ? { name: "vae", parameters: vae.parameters } : undefined;
}
