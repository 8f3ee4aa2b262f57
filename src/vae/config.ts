/** The shape of an autoencoder: what its weights must be like. */
export interface VaeShape {
  /** Channels of the image, 3. */
  inChannels: number;
  /** Channels of each level, finest first. */
  channels: readonly number[];
  /** Residual blocks of an encoder level; a decoder level has one more. */
  blocksPerLevel: number;
  /** Channels of the latent, z. */
  latentChannels: number;
  /** Groups of every group norm. */
  normGroups: number;
  /** Whether the middle has a self-attention. */
  midAttention: boolean;
  /** The encoder levels in which an attention follows each residual block (KL-16: the last). */
  encoderAttentionLevels: readonly number[];
  /** Whether a 1×1 convolution follows the encoder. */
  quantConv: boolean;
  /** Whether a 1×1 convolution precedes the decoder. */
  postQuantConv: boolean;
}

/** The most levels, and the most residual blocks of one, that a file may ask for: far beyond any network. */
export const MAX_DEPTH = 64;

/** All that an autoencoder is built from: SPEC section 2's table, one column. */
export interface VaeConfig extends VaeShape {
  /** The latent that the quantizer sees is `(z - shift) · scale`. */
  scale: number;
  /** See `scale`. */
  shift: number;
}

/** How many pixels per side one latent position stands for: 2 to the number of downsamplings. */
export function reductionOf({ channels }: Pick<VaeShape, "channels">): number {
  return 2 ** (channels.length - 1);
}

/** A shape in a few words. */
export function shapeWords({ channels, blocksPerLevel, latentChannels }: VaeShape): string {
  return `channels ${channels.join(", ")}, ${blocksPerLevel} ` +
    `${blocksPerLevel === 1 ? "block" : "blocks"} a level, ${latentChannels} latent channels`;
}
