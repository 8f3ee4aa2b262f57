/** A model that is no autoencoder and no quantizer, but is met beside them. */
interface KnownModel {
  /** What it is. */
  readonly name: string;
  /** Patterns each of which a name matches. */
  readonly signs: readonly RegExp[];
}

/** Models by the names of their tensors, the most particular first. */
const KNOWN: readonly KnownModel[] = [
  {
    name: "a vector-quantized autoencoder (VQGAN), whose latent is no distribution",
    signs: [/(?:^|\.)quantize\.(?:embedding|embed)/, /(?:^|\.)encoder\./],
  },
  {
    name: "the discriminator of an adaptation",
    signs: [/(?:^|\.)heads\.\d+\./, /weight_(?:orig|u)$/],
  },
  {
    name: "a vision transformer such as DINO's",
    signs: [/(?:^|\.)cls_token$/, /(?:^|\.)blocks\.\d+\.attn\.qkv\.weight$/],
  },
  { name: "LPIPS's linear layers", signs: [/(?:^|\.)lin0\.model\.1\.weight$/] },
  {
    name: "a VGG",
    signs: [/(?:^|\.)features\.0\.weight$/, /(?:^|\.)classifier\.6\.weight$/],
  },
  { name: "Inception v3, as for the FID", signs: [/(?:^|\.)Mixed_5b\.branch1x1\./] },
  {
    name: "a U-Net of Stable Diffusion in diffusers' layout",
    signs: [/(?:^|\.)time_embedding\.linear_1\./, /(?:^|\.)up_blocks\.\d+\.resnets\./],
  },
  {
    name: "a U-Net of Stable Diffusion",
    signs: [/(?:^|\.)input_blocks\.\d+\./, /(?:^|\.)time_embed\.0\./],
  },
  { name: "FLUX's transformer", signs: [/(?:^|\.)double_blocks\.0\.img_attn\./] },
  { name: "Stable Diffusion 3's transformer", signs: [/(?:^|\.)joint_blocks\.0\./] },
  { name: "a CLIP text encoder", signs: [/text_model\.encoder\.layers\.0\./] },
  {
    name: "AutoencoderTiny, which has no distribution and another network",
    signs: [/(?:^|\.)encoder\.layers\.0\.(?:weight|bias)$/, /(?:^|\.)decoder\.layers\.\d+\./],
  },
  {
    name: "an autoencoder of videos, whose convolutions have three dimensions",
    signs: [/(?:^|\.)encoder\.conv_in\.conv\.weight$/],
  },
];

/** What a file of tensors of these names looks like, beside what is read here. */
export function knownModel(names: readonly string[]): string | undefined {
  return KNOWN.find(({ signs }) => signs.every((sign) => names.some((name) => sign.test(name))))
    ?.name;
}
