import { PRESET_NAMES, type PresetName } from "../checkpoint/preset_names.ts";

/** The name of a preset of a run. */
export type AdaptPresetName = PresetName | "tiny";

/** The names, for a choice. */
export const ADAPT_PRESET_NAMES: readonly AdaptPresetName[] = [...PRESET_NAMES, "tiny"];
