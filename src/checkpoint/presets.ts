import { PATCH_SIZES_F16, PATCH_SIZES_F8, type QuantizerNorm } from "../quantizer/mod.ts";
import type { PresetName } from "./preset_names.ts";

/** What is known of a published tokenizer besides its weights. */
export interface Preset {
  /** The family of its autoencoder: a name of {@link VAE_FAMILIES}. */
  readonly family: string;
  /** V. */
  readonly codebookSize: number;
  /** The sides of its scales' grids, coarse to fine. */
  readonly patchSizes: readonly number[];
  /** The normalisation of its queries and keys. */
  readonly norm: QuantizerNorm;
}

/** The published tokenizers (SPEC sections 1 and 3). */
export const PRESETS: Readonly<Record<PresetName, Preset>> = {
  "mar-16384": {
    family: "MAR KL-16",
    codebookSize: 16_384,
    patchSizes: PATCH_SIZES_F16,
    norm: "rms",
  },
  "flux-65536": {
    family: "FLUX.1",
    codebookSize: 65_536,
    patchSizes: PATCH_SIZES_F8,
    norm: "rms",
  },
};
