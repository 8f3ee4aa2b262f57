/** The name of a published tokenizer. */
export type PresetName = "mar-16384" | "flux-65536";

/** The names, for a choice. */
export const PRESET_NAMES: readonly PresetName[] = ["mar-16384", "flux-65536"];
