import type { VaeShape } from "../../vae/mod.ts";

/** What shapes may differ in, in words. */
const WORDS: readonly ((shape: VaeShape) => string)[] = [
  ({ inChannels }) => `${inChannels} image channels`,
  ({ channels }) => `channels ${channels.join(", ")}`,
  ({ blocksPerLevel }) => `${blocksPerLevel} ${blocksPerLevel === 1 ? "block" : "blocks"} a level`,
  ({ latentChannels }) => `${latentChannels} latent channels`,
  ({ midAttention }) => `${midAttention ? "" : "no "}attention in the middle`,
  ({ encoderAttentionLevels: levels }) =>
    levels.length === 0
      ? "no attention in the encoder's levels"
      : `attention in the encoder's level ${levels.join(", ")}`,
  ({ quantConv }) => `${quantConv ? "a" : "no"} quant_conv`,
  ({ postQuantConv }) => `${postQuantConv ? "a" : "no"} post_quant_conv`,
];

/** What an autoencoder's shape has otherwise than another's, in words; nothing where they are equal. */
export function shapeDifference(own: VaeShape, other: VaeShape): string[] {
  return WORDS.map((words) => [words(own), words(other)])
    .filter(([here, there]) => here !== there)
    .map(([here, there]) => `${here} instead of ${there}`);
}
