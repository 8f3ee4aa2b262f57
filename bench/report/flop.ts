/** What the products of an autoencoder's convolutions and attentions amount to. */
import type { Conv2d } from "../../src/nn/mod.ts";
import type { CodaQuantizer } from "../../src/quantizer/mod.ts";
import { tokenCount } from "../../src/quantizer/mod.ts";
import type { AutoencoderKL } from "../../src/vae/mod.ts";

/** Operations, a multiply-add being two. */
export interface VaeFlop {
  /** Of an image to its moments. */
  encode: number;
  /** Of a latent to its image. */
  decode: number;
}

/** The operations of an autoencoder for one square image. */
export function vaeFlop(vae: AutoencoderKL, side: number): VaeFlop {
  const sum = (part: "encode" | "decode") =>
    vae.convs.filter(({ name }) => partOf(name) === part)
      .reduce((flop, conv) => flop + convFlop(conv, vae, side) + attentionFlop(conv, vae, side), 0);
  return { encode: sum("encode"), decode: sum("decode") };
}

/** The logits of every token against every code. */
export function assignmentFlop(quantizer: CodaQuantizer, side: number): number {
  const { codebookSize, attentionDim } = quantizer.config;
  return 2 * tokenCount(quantizer.gridsFor(side, side)) * codebookSize * attentionDim;
}

/**
 * Forward and backward of the quantizer's training: logits and values, and for each the gradients of
 * both of its factors.
 */
export function assignmentTrainingFlop(quantizer: CodaQuantizer, side: number): number {
  const { channels, attentionDim } = quantizer.config;
  return 3 * assignmentFlop(quantizer, side) * (attentionDim + channels) / attentionDim;
}

/**
 * One image of a joint step of the adaptation: every convolution forward and the gradient of its image,
 * and a weight's gradient where it is adapted; the quantizer's training.
 */
export function jointStepFlop(
  vae: AutoencoderKL,
  quantizer: CodaQuantizer,
  side: number,
): number {
  const convolutions = vae.convs.reduce((flop, conv) => {
    const products = conv.lora ? 3 : 2;
    return flop + products * convFlop(conv, vae, side) + 3 * attentionFlop(conv, vae, side);
  }, 0);
  return convolutions + assignmentTrainingFlop(quantizer, side / vae.reduction);
}

function partOf(name: string): "encode" | "decode" {
  return name.startsWith("encoder") || name === "quant_conv" ? "encode" : "decode";
}

function convFlop(conv: Conv2d, { config }: AutoencoderKL, side: number): number {
  return 2 * conv.weight.size * sideOf(conv.name, side, config.channels.length - 1) ** 2;
}

/** Scores and mixture of an attention, counted with its query's convolution. */
function attentionFlop({ name, weight }: Conv2d, { config }: AutoencoderKL, side: number): number {
  if (!name.endsWith(".q")) return 0;
  const tokens = sideOf(name, side, config.channels.length - 1) ** 2;
  return 4 * tokens ** 2 * weight.shape[3];
}

/** The side of a convolution's result, by its key in the LDM layout. */
function sideOf(name: string, side: number, coarsest: number): number {
  const level = name.match(/^(?:encoder\.down|decoder\.up)\.(\d+)\./);
  if (!level) {
    const isFine = name === "encoder.conv_in" || name === "decoder.conv_out";
    return isFine ? side : side / 2 ** coarsest;
  }
  const resized = name.includes(".downsample.") ? 1 : name.includes(".upsample.") ? -1 : 0;
  return side / 2 ** (Number(level[1]) + resized);
}
