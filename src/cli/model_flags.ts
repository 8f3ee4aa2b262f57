/** Flags of the commands that take a model: which, and what its files may leave unsaid. */
import { PRESET_NAMES, type PresetName } from "../checkpoint/preset_names.ts";
import { booleanFlag, choiceFlag, type Flag, numberFlag, stringFlag } from "./flags.ts";

/** What is known of a model beside its files. */
export interface ModelFlags {
  /** Which weights are taken where a checkpoint has moving averages too. */
  readonly weights: Flag<"ema" | "trained" | undefined>;
  /** The published tokenizer that it is of. */
  readonly preset: Flag<PresetName | undefined>;
  /** The latent's scale. */
  readonly scale: Flag<number | undefined>;
  /** The latent's shift. */
  readonly shift: Flag<number | undefined>;
}

/** The flags of scale and shift. */
export const SCALING_FLAGS: Pick<ModelFlags, "scale" | "shift"> = {
  scale: numberFlag("scale of the latent, where the model's files do not say it", { value: "S" }),
  shift: numberFlag("shift of the latent, where the model's files do not say it", { value: "S" }),
};

/** All of them. */
export const MODEL_FLAGS: ModelFlags = {
  weights: choiceFlag(
    "which weights of a checkpoint that has both; default ema, the moving average",
    ["ema", "trained"],
  ),
  preset: choiceFlag("the published tokenizer that the model is", PRESET_NAMES, { value: "NAME" }),
  ...SCALING_FLAGS,
};

/** The flag that names a tokenizer. */
export const TOKENIZER_FLAG: Flag<string | undefined> = stringFlag(
  "the tokenizer: a folder that coda adapt wrote, an official CODA folder, a weight file that " +
    "holds it, or hf:owner/name; default the built-in one",
  { short: "m", value: "PATH" },
);

/** The flag of storage in 16 bits. */
export const HALF_FLAG: Flag<boolean> = booleanFlag(
  "store weights and feature maps in 16 bits: half the memory, results that differ by rounding",
);
