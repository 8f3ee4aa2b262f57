import { type Preset, PRESETS } from "../checkpoint/presets.ts";
import type { AdaptOptions } from "./options.ts";
import type { AdaptPresetName } from "./preset_names.ts";

/** What a published tokenizer was trained with (SPEC sections 1, 4 and 6). */
function published(
  { codebookSize, patchSizes }: Preset,
  targets: readonly string[],
): Partial<AdaptOptions> {
  return {
    codebookSize,
    patchSizes,
    targets,
    rank: 32,
    lr: 5e-4,
    imageSize: 256,
    steps: 50_000,
    batch: 8, // 256 images a step, in the memory of 8
    accumulate: 32,
    saveEvery: 1000,
  };
}

/** Options that go together: those of the published tokenizers, and of the one that ships. */
export const ADAPT_PRESETS: Readonly<Record<AdaptPresetName, Partial<AdaptOptions>>> = {
  "mar-16384": published(PRESETS["mar-16384"], ["conv1", "conv2", "upsample", "downsample"]),
  "flux-65536": published(PRESETS["flux-65536"], ["conv1", "conv2"]),
  tiny: {
    codebookSize: 1024,
    imageSize: 256,
    warmupSteps: 500,
    warmupLr: 1e-3,
    warmupBatch: 4,
    warmupCrops: 1,
    steps: 120,
    batch: 2,
    lr: 5e-4,
  },
};

/** The VAE that a preset is for, where it is not the embedded one. */
export function familyOf(preset: AdaptPresetName): string | undefined {
  return preset === "tiny" ? undefined : PRESETS[preset].family;
}
