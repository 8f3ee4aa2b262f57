import type { DinoDiscriminator, Perceptual } from "../losses/mod.ts";
import type { Lora, Parameters } from "../nn/mod.ts";
import type { CodaQuantizer, Quantized } from "../quantizer/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import type { AutoencoderKL } from "../vae/mod.ts";

/** What a quantizer gives while it is trained: L_e only where it has an entropy loss. */
export type TrainedQuantized =
  & Omit<Quantized, "entropyLoss">
  & Partial<Pick<Quantized, "entropyLoss">>;

/** A quantizer that a run can train: CODA's, or one that is compared with it. */
export interface TrainedQuantizer {
  /** How many codes it has, and the sides of its scales' grids: one for each list of indices. */
  readonly config: { readonly codebookSize: number; readonly patchSizes: readonly number[] };
  /** What is trained. */
  readonly parameters: Parameters;
  /** Quantizes a scaled latent [B, H, W, c], with its losses and gradients. */
  forward(f: Tensor): TrainedQuantized;
}

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
  readonly quantizer?: TrainedQuantizer;
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
