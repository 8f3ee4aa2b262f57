import { familiesOf, reductionOf, type VaeShape } from "../../vae/mod.ts";
import type { Checkpoint } from "../checkpoint.ts";
import type { TokenizerOptions } from "../load_tokenizer.ts";
import type { QuantizerPart } from "../parts.ts";
import { PRESET_NAMES, type PresetName } from "../preset_names.ts";
import { PRESETS } from "../presets.ts";
import { PATCH_SIZES, quantizerOf } from "../quantizer_of.ts";
import { buildIn } from "../quantizer_tensors.ts";
import { describeVae } from "../vae_of.ts";
import { amountOf } from "./amount.ts";
import { accepted } from "./refusal.ts";
import type { InspectedQuantizer } from "./types.ts";

/** The tensors that a quantizer lacks, by the file's names for them. */
export function missingIn({ weights }: QuantizerPart): string[] {
  return buildIn(weights).tensors.filter((name) => !weights.has(name)).map((name) =>
    weights.nameInFile(name)
  );
}

/** What there is to say of a checkpoint's quantizer, be it sound or not. */
export function inspectQuantizer(
  checkpoint: Checkpoint,
  part: QuantizerPart,
  options: TokenizerOptions,
): InspectedQuantizer {
  const { weights, prefix } = part;
  const { kind, codebook, norm, tensors } = buildIn(weights);
  const [codebookSize, channels] = weights.info(codebook).shape;
  const shape = accepted(() => describeVae(checkpoint, options))?.shape;
  const config = shape && accepted(() => quantizerOf(checkpoint, shape, options))?.config;
  const published = shape && kind !== "nearest" ? PATCH_SIZES[reductionOf(shape)] : undefined;
  const patchSizes = config?.patchSizes ?? published;
  return {
    ...amountOf(weights, weights.names),
    kind,
    prefix,
    codebookSize,
    channels,
    attentionDim: weights.has("attn.to_q.weight")
      ? weights.info("attn.to_q.weight").shape[0]
      : undefined,
    norm,
    patchSizes,
    preset: presetOf(codebookSize, norm, shape),
    missing: missingIn(part),
    extra: weights.names.filter((name) => !tensors.includes(name))
      .map((name) => weights.nameInFile(name)),
  };
}

/** The published tokenizer that has this codebook and an autoencoder of this shape. */
function presetOf(
  codebookSize: number,
  norm: string | undefined,
  shape: VaeShape | undefined,
): PresetName | undefined {
  if (shape === undefined) return undefined;
  const families = familiesOf(shape).families.map(({ name }) => name);
  return PRESET_NAMES.find((name) => {
    const preset = PRESETS[name];
    const isSame = preset.codebookSize === codebookSize && preset.norm === norm;
    return isSame && families.includes(preset.family);
  });
}
