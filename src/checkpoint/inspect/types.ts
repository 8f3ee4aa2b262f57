import type { QuantizerKind, QuantizerNorm } from "../../quantizer/mod.ts";
import type { VaeShape } from "../../vae/mod.ts";
import type { KeyLayout } from "../layouts.ts";
import type { PresetName } from "../preset_names.ts";
import type { TensorFile } from "../source.ts";
import type { Difference } from "./difference.ts";

/** How many tensors there are, of how many numbers, stored how. */
export interface Amount {
  /** Tensors. */
  readonly tensors: number;
  /** Numbers in all of them. */
  readonly parameters: number;
  /** Their bytes in the file. */
  readonly bytes: number;
  /** Tensors by the dtype that they are stored as. */
  readonly dtypes: Readonly<Record<string, number>>;
}

/** One weight file. */
export interface InspectedFile extends Amount {
  /** Its path. */
  readonly file: string;
  /** Its kind. */
  readonly format: TensorFile["format"];
  /** The texts that it carries. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Which published family an autoencoder is taken for. */
export interface InspectedFamily {
  /** Its name. */
  readonly name: string;
  /** The others of the same shape. */
  readonly others: readonly string[];
  /**
   * What tells it from them: nothing is needed, the scale that was told, something in the file, its name,
   * a preset, or nothing does.
   */
  readonly by: "shape" | "scale" | "file" | "name" | "preset" | "nothing";
  /** How wide the autoencoder is beside it; 1 is the published width. */
  readonly width: number;
}

/** An autoencoder in a checkpoint. */
export interface InspectedVae extends Amount {
  /** How its tensors are named. */
  readonly layout: KeyLayout;
  /** What stands before each name. */
  readonly prefix: string;
  /** The published family whose shape it has. */
  readonly family: InspectedFamily | undefined;
  /** Its shape, where enough of it is there to say. */
  readonly shape: VaeShape | undefined;
  /** How many pixels per side one latent position stands for. */
  readonly reduction: number | undefined;
  /** The latent's scale, where something says it. */
  readonly scale: number | undefined;
  /** The latent's shift. */
  readonly shift: number | undefined;
  /** What says the scale. */
  readonly scaledBy: "option" | "config" | "family" | undefined;
  /** Its adapters, not among its parameters. */
  readonly lora: InspectedLora | undefined;
  /** How its tensors differ from those that its own shape needs. */
  readonly difference: Difference | undefined;
  /** The published family that it is nearest to, where it is of none at its own width. */
  readonly nearest: NearestFamily | undefined;
}

/** A family that an autoencoder is not of. */
export interface NearestFamily {
  /** Its name. */
  readonly name: string;
  /** What the autoencoder has otherwise, in words. */
  readonly otherwise: readonly string[];
  /** How their tensors differ. */
  readonly difference: Difference;
}

/** Adapters in a checkpoint. */
export interface InspectedLora extends Amount {
  /** Their rank. */
  readonly rank: number;
  /** How many convolutions they adapt. */
  readonly convolutions: number;
}

/** A quantizer in a checkpoint. */
export interface InspectedQuantizer extends Amount {
  /** Which quantizer. */
  readonly kind: QuantizerKind;
  /** What stands before each name. */
  readonly prefix: string;
  /** V. */
  readonly codebookSize: number;
  /** c. */
  readonly channels: number;
  /** d, of CODA's. */
  readonly attentionDim: number | undefined;
  /** The normalisation of queries and keys, of CODA's. */
  readonly norm: QuantizerNorm | undefined;
  /** The sides of the scales' grids, where something says them. */
  readonly patchSizes: readonly number[] | undefined;
  /** The published tokenizer of this codebook and autoencoder. */
  readonly preset: PresetName | undefined;
  /** The tensors that are missing. */
  readonly missing: readonly string[];
  /** Those that no quantizer has. */
  readonly extra: readonly string[];
}

/** Tensors of other models, by the first word of their names. */
export interface InspectedGroup extends Amount {
  /** The word. */
  readonly name: string;
}

/** What {@link inspectCheckpoint} finds. */
export interface Inspection {
  /** What was named. */
  readonly path: string;
  /** What it holds. */
  readonly kind: "tokenizer" | "autoencoder" | "quantizer" | "unknown";
  /** Why it cannot be used as what it holds; undefined where it can. */
  readonly problem: string | undefined;
  /** Its weight files. */
  readonly files: readonly InspectedFile[];
  /** The autoencoder. */
  readonly vae: InspectedVae | undefined;
  /** The quantizer. */
  readonly quantizer: InspectedQuantizer | undefined;
  /** What else is in the files. */
  readonly others: readonly InspectedGroup[];
  /** What a file that holds neither looks like, where that is known. */
  readonly looksLike: string | undefined;
  /** The model that a file which holds neither is nearest to. */
  readonly nearest: Difference | undefined;
}
