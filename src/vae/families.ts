import type { VaeConfig, VaeShape } from "./config.ts";

/** A published autoencoder: a column of SPEC section 2's table. */
export interface VaeFamily {
  /** What it is called. */
  readonly name: string;
  /** Its shape, and the scale and shift of its published weights. */
  readonly config: VaeConfig;
}

/** What most families have in common. */
const COMMON: Omit<VaeShape, "latentChannels" | "quantConv" | "postQuantConv"> = {
  inChannels: 3,
  channels: [128, 256, 512, 512],
  blocksPerLevel: 2,
  normGroups: 32,
  midAttention: true,
  encoderAttentionLevels: [],
};
const NARROW = { ...COMMON, latentChannels: 4, quantConv: true, postQuantConv: true };
const WIDE = { ...COMMON, latentChannels: 16, quantConv: false, postQuantConv: false };

/** The published families. Of those that share a shape, the one that CODA or most others use comes first. */
export const VAE_FAMILIES: readonly VaeFamily[] = [
  {
    name: "MAR KL-16",
    config: {
      ...NARROW,
      channels: [128, 128, 256, 256, 512],
      encoderAttentionLevels: [4],
      latentChannels: 16,
      scale: 0.2325,
      shift: 0,
    },
  },
  { name: "FLUX.1", config: { ...WIDE, scale: 0.3611, shift: 0.1159 } },
  { name: "Stable Diffusion 1.x", config: { ...NARROW, scale: 0.18215, shift: 0 } },
  { name: "Stable Diffusion XL", config: { ...NARROW, scale: 0.13025, shift: 0 } },
  { name: "Stable Diffusion 3", config: { ...WIDE, scale: 1.5305, shift: 0.0609 } },
];

/** Families that have the shape of an autoencoder, all of them at one width. */
export interface FamilyMatch {
  /** The families, the likeliest first; none where the shape is of no published one. */
  readonly families: readonly VaeFamily[];
  /** How wide the autoencoder is beside them: 1 for the published width, 1/4 for a quarter of it. */
  readonly width: number;
}

/** The families whose shape an autoencoder has, be it at the published width or at another. */
export function familiesOf(shape: VaeShape): FamilyMatch {
  const width = shape.channels[0] / VAE_FAMILIES[0].config.channels[0];
  const families = VAE_FAMILIES.filter(({ config }) => hasShapeOf(shape, config, width));
  return { families, width };
}

function hasShapeOf(shape: VaeShape, family: VaeShape, width: number): boolean {
  const told = ({ channels, normGroups: _, ...rest }: VaeShape, by: number) =>
    JSON.stringify([channels.map((count) => count / by), ...FIELDS.map((name) => rest[name])]);
  return told(shape, width) === told(family, 1);
}

/** What families differ in, beside their channels. */
const FIELDS = [
  "inChannels",
  "blocksPerLevel",
  "latentChannels",
  "midAttention",
  "encoderAttentionLevels",
  "quantConv",
  "postQuantConv",
] as const;
