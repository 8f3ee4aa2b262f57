/** A way of naming an autoencoder's tensors. Files in the older diffusers names are read, not written. */
export type KeyLayout = "ldm" | "diffusers" | "diffusers-old";

/** The layouts, the likeliest first. */
export const LAYOUTS: readonly KeyLayout[] = ["ldm", "diffusers", "diffusers-old"];

/** What a module is made of: see {@link PARTS}. */
export type Kind = "conv" | "norm" | "resnet" | "attention";

/**
 * A place in the network, with its name in LDM's layout (also MAR's and Black Forest Labs') and in
 * diffusers'. `{i}` and `{j}` are the same number on both sides; `{~i}` counts levels from the other
 * end.
 */
export interface Place {
  readonly kind: Kind;
  readonly ldm: string;
  readonly diffusers: string;
}

/** The places of both halves below `encoder.` and `decoder.`. */
const SHARED: readonly Place[] = [
  { kind: "conv", ldm: "conv_in", diffusers: "conv_in" },
  { kind: "resnet", ldm: "mid.block_1", diffusers: "mid_block.resnets.0" },
  { kind: "attention", ldm: "mid.attn_1", diffusers: "mid_block.attentions.0" },
  { kind: "resnet", ldm: "mid.block_2", diffusers: "mid_block.resnets.1" },
  { kind: "norm", ldm: "norm_out", diffusers: "conv_norm_out" },
  { kind: "conv", ldm: "conv_out", diffusers: "conv_out" },
];

/** Every place there is. Attention in the decoder's levels is named, although no network here has it. */
export const PLACES: readonly Place[] = [
  ...["encoder", "decoder"].flatMap((half) =>
    SHARED.map(({ kind, ldm, diffusers }) => ({
      kind,
      ldm: `${half}.${ldm}`,
      diffusers: `${half}.${diffusers}`,
    }))
  ),
  {
    kind: "resnet",
    ldm: "encoder.down.{i}.block.{j}",
    diffusers: "encoder.down_blocks.{i}.resnets.{j}",
  },
  {
    kind: "attention",
    ldm: "encoder.down.{i}.attn.{j}",
    diffusers: "encoder.down_blocks.{i}.attentions.{j}",
  },
  {
    kind: "conv",
    ldm: "encoder.down.{i}.downsample.conv",
    diffusers: "encoder.down_blocks.{i}.downsamplers.0.conv",
  },
  {
    kind: "resnet",
    ldm: "decoder.up.{~i}.block.{j}",
    diffusers: "decoder.up_blocks.{i}.resnets.{j}",
  },
  {
    kind: "attention",
    ldm: "decoder.up.{~i}.attn.{j}",
    diffusers: "decoder.up_blocks.{i}.attentions.{j}",
  },
  {
    kind: "conv",
    ldm: "decoder.up.{~i}.upsample.conv",
    diffusers: "decoder.up_blocks.{i}.upsamplers.0.conv",
  },
  { kind: "conv", ldm: "quant_conv", diffusers: "quant_conv" },
  { kind: "conv", ldm: "post_quant_conv", diffusers: "post_quant_conv" },
];

/** A part of a module, by its name in each layout; empty where the module is the part itself. */
export interface Part extends Readonly<Record<KeyLayout, string>> {
  /** Whether diffusers has a linear map, [out, in], where LDM has a 1×1 convolution, [out, in, 1, 1]. */
  readonly isLinear?: boolean;
}

/** What modules are made of. */
export const PARTS: Readonly<Record<Kind, readonly Part[]>> = {
  conv: [same("")],
  norm: [same("")],
  resnet: [
    ...["norm1", "conv1", "norm2", "conv2"].map(same),
    {
      ldm: "nin_shortcut",
      diffusers: "conv_shortcut",
      "diffusers-old": "conv_shortcut",
    },
  ],
  attention: [
    { ldm: "norm", diffusers: "group_norm", "diffusers-old": "group_norm" },
    { ldm: "q", diffusers: "to_q", "diffusers-old": "query", isLinear: true },
    { ldm: "k", diffusers: "to_k", "diffusers-old": "key", isLinear: true },
    { ldm: "v", diffusers: "to_v", "diffusers-old": "value", isLinear: true },
    { ldm: "proj_out", diffusers: "to_out.0", "diffusers-old": "proj_attn", isLinear: true },
  ],
};

/** The tensors of a part; the last two are an adapter's, beside its convolution. */
export const TENSORS: readonly string[] = [
  "weight",
  "bias",
  "lora_layer.down.weight",
  "lora_layer.up.weight",
];

function same(name: string): Part {
  return { ldm: name, diffusers: name, "diffusers-old": name };
}
