import type { VaeShape } from "./config.ts";

/** The tensors of an autoencoder: their names in LDM layout, with their shapes. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

/**
 * The tensors that an autoencoder of this shape consists of, in LDM layout: what a weight file must
 * hold, without a device to build the network on.
 *
 * @example
 * ```ts
 * import { VAE_FAMILIES, vaeShapes } from "@coda/tokenizer";
 *
 * const flux = VAE_FAMILIES.find(({ name }) => name === "FLUX.1")!;
 * console.assert(vaeShapes(flux.config).get("decoder.conv_in.weight")?.join() === "512,16,3,3");
 * ```
 */
export function vaeShapes(shape: VaeShape): Shapes {
  const all = new Map<string, readonly number[]>();
  const { channels, latentChannels: z } = shape;
  const last = channels[channels.length - 1];
  conv(all, "encoder.conv_in", shape.inChannels, channels[0], 3);
  for (let i = 0; i < channels.length; i++) encoderLevel(all, shape, i);
  middle(all, "encoder.mid", shape, last);
  norm(all, "encoder.norm_out", last);
  conv(all, "encoder.conv_out", last, 2 * z, 3);
  if (shape.quantConv) conv(all, "quant_conv", 2 * z, 2 * z, 1);
  if (shape.postQuantConv) conv(all, "post_quant_conv", z, z, 1);
  conv(all, "decoder.conv_in", z, last, 3);
  middle(all, "decoder.mid", shape, last);
  for (let i = channels.length - 1; i >= 0; i--) decoderLevel(all, shape, i);
  norm(all, "decoder.norm_out", channels[0]);
  conv(all, "decoder.conv_out", channels[0], shape.inChannels, 3);
  return all;
}

type Open = Map<string, readonly number[]>;

function conv(all: Open, name: string, input: number, output: number, kernel: number): void {
  all.set(`${name}.weight`, [output, input, kernel, kernel]);
  all.set(`${name}.bias`, [output]);
}

function norm(all: Open, name: string, channels: number): void {
  all.set(`${name}.weight`, [channels]);
  all.set(`${name}.bias`, [channels]);
}

function resnet(all: Open, name: string, input: number, output: number): void {
  norm(all, `${name}.norm1`, input);
  conv(all, `${name}.conv1`, input, output, 3);
  norm(all, `${name}.norm2`, output);
  conv(all, `${name}.conv2`, output, output, 3);
  if (input !== output) conv(all, `${name}.nin_shortcut`, input, output, 1);
}

function attention(all: Open, name: string, channels: number): void {
  norm(all, `${name}.norm`, channels);
  for (const map of ["q", "k", "v", "proj_out"]) conv(all, `${name}.${map}`, channels, channels, 1);
}

function middle(all: Open, name: string, { midAttention }: VaeShape, channels: number): void {
  resnet(all, `${name}.block_1`, channels, channels);
  if (midAttention) attention(all, `${name}.attn_1`, channels);
  resnet(all, `${name}.block_2`, channels, channels);
}

function encoderLevel(all: Open, shape: VaeShape, i: number): void {
  const { channels, blocksPerLevel, encoderAttentionLevels } = shape;
  const name = `encoder.down.${i}`;
  for (let j = 0; j < blocksPerLevel; j++) {
    resnet(all, `${name}.block.${j}`, channels[j > 0 ? i : Math.max(i - 1, 0)], channels[i]);
    if (encoderAttentionLevels.includes(i)) attention(all, `${name}.attn.${j}`, channels[i]);
  }
  if (i < channels.length - 1) conv(all, `${name}.downsample.conv`, channels[i], channels[i], 3);
}

function decoderLevel(all: Open, { channels, blocksPerLevel }: VaeShape, i: number): void {
  const name = `decoder.up.${i}`;
  for (let j = 0; j <= blocksPerLevel; j++) {
    const above = channels[Math.min(i + 1, channels.length - 1)];
    resnet(all, `${name}.block.${j}`, j > 0 ? channels[i] : above, channels[i]);
  }
  if (i > 0) conv(all, `${name}.upsample.conv`, channels[i], channels[i], 3);
}
