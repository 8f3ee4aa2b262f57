import { join } from "@std/path";
import { type FloatDtype, type TensorToStore, writeSafetensors } from "../../src/checkpoint/mod.ts";
import { type VaeConfig, vaeShapes } from "../../src/vae/mod.ts";
import { Random } from "../support/random.ts";

/** A small autoencoder of FLUX.1's build: its width says nothing, its build which family it is. */
export const SMALL_FLUX: VaeConfig = {
  inChannels: 3,
  channels: [32, 64, 128, 128],
  blocksPerLevel: 2,
  latentChannels: 16,
  normGroups: 32,
  midAttention: true,
  encoderAttentionLevels: [],
  quantConv: false,
  postQuantConv: false,
  scale: 0.3611,
  shift: 0.1159,
};

/** A small autoencoder of KL-16's build. */
export const SMALL_KL16: VaeConfig = {
  ...SMALL_FLUX,
  channels: [32, 32, 64, 64, 128],
  encoderAttentionLevels: [4],
  quantConv: true,
  postQuantConv: true,
  scale: 0.2325,
  shift: 0,
};

/** How weights are named in a file. */
export type Naming = (name: string, shape: readonly number[]) => [string, readonly number[]];

/** LDM's names and shapes. */
export const ldm: Naming = (name, shape) => [name, shape];

/**
 * Diffusers' names and shapes for an autoencoder of `levels` levels, by replacing one part of the name
 * after another, as diffusers' own conversion script does it.
 */
export function diffusers(levels: number, isOld = false): Naming {
  const attention: readonly (readonly [RegExp, string])[] = [
    [/\.norm\./, ".group_norm."],
    [/\.q\./, isOld ? ".query." : ".to_q."],
    [/\.k\./, isOld ? ".key." : ".to_k."],
    [/\.v\./, isOld ? ".value." : ".to_v."],
    [/\.proj_out\./, isOld ? ".proj_attn." : ".to_out.0."],
  ];
  return (name, shape) => {
    const isAttention = /\.attn(_1)?\./.test(name);
    let renamed = name
      .replace("mid.block_1", "mid_block.resnets.0").replace("mid.block_2", "mid_block.resnets.1")
      .replace("mid.attn_1", "mid_block.attentions.0")
      .replace("norm_out", "conv_norm_out").replace("nin_shortcut", "conv_shortcut")
      .replace(".downsample.", ".downsamplers.0.").replace(".upsample.", ".upsamplers.0.")
      .replace(/down\.(\d)/, "down_blocks.$1")
      .replace(/up\.(\d)/, (_, level) => `up_blocks.${levels - 1 - Number(level)}`)
      .replace(".block.", ".resnets.").replace(".attn.", ".attentions.");
    if (!isAttention) return [renamed, shape];
    for (const [from, to] of attention) renamed = renamed.replace(from, to);
    return [renamed, shape.length === 4 ? shape.slice(0, 2) : shape];
  };
}

/** An autoencoder's weights, random but the same each time. */
export function vaeTensors(config: VaeConfig, seed = 1): TensorToStore[] {
  const random = new Random(seed);
  return Array.from(vaeShapes(config), ([name, shape]) => {
    const data = Float32Array.from(random.uniform(shape, -0.1, 0.1).data);
    if (name.includes("norm") && name.endsWith("weight")) data.forEach((v, i) => data[i] = 1 + v);
    return { name, shape, data };
  });
}

/** The same weights, named otherwise, behind a prefix. */
export function named(
  tensors: readonly TensorToStore[],
  naming: Naming,
  prefix = "",
): TensorToStore[] {
  return tensors.map((tensor) => {
    const [name, shape] = naming(tensor.name, tensor.shape);
    return { ...tensor, name: prefix + name, shape };
  });
}

/** An adapter of rank `rank` on every convolution whose name contains one of `targets`. */
export function loraTensors(
  config: VaeConfig,
  { rank, targets, seed = 2 }: { rank: number; targets: readonly string[]; seed?: number },
): TensorToStore[] {
  const random = new Random(seed);
  return [...vaeShapes(config)].flatMap(([name, shape]) => {
    const [out, input, height, width] = shape;
    const isTarget = shape.length === 4 && targets.some((target) => name.includes(target));
    if (!isTarget) return [];
    const conv = name.slice(0, -".weight".length);
    return [["down", [rank, input, height, width]], ["up", [out, rank, 1, 1]]].map((
      [part, shape],
    ) => ({
      name: `${conv}.lora_layer.${part}.weight`,
      shape: shape as number[],
      data: Float32Array.from(random.uniform(shape as number[], -0.1, 0.1).data),
    }));
  });
}

/** A quantizer's weights under the official names. */
export function quantizerTensors(
  { codes = 16, channels = 16, dim = 8, norm = ["weight"], seed = 3 }: {
    codes?: number;
    channels?: number;
    dim?: number;
    norm?: readonly string[];
    seed?: number;
  } = {},
): TensorToStore[] {
  const random = new Random(seed);
  const shapes: [string, number[]][] = [
    ["codebooks.weight", [codes, channels]],
    ...["to_q", "to_k"].flatMap((map): [string, number[]][] => [
      [`attn.${map}.weight`, [dim, channels]],
      [`attn.${map}.bias`, [dim]],
    ]),
    ["attn.to_v.weight", [channels, channels]],
    ["attn.to_v.bias", [channels]],
    ...["norm_q", "norm_k"].flatMap((name) =>
      norm.map((part): [string, number[]] => [`attn.${name}.${part}`, [dim]])
    ),
  ];
  return shapes.map(([name, shape]) => ({
    name,
    shape,
    data: Float32Array.from(random.uniform(shape).data),
  }));
}

/** Writes files into a folder: tensors as safetensors, anything else as JSON. */
export async function writeFiles(
  folder: string,
  files: Readonly<Record<string, readonly TensorToStore[] | Record<string, unknown>>>,
  options: { dtype?: FloatDtype; metadata?: Record<string, string> } = {},
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    if (Array.isArray(content)) await writeSafetensors(path, content, options);
    else await Deno.writeTextFile(path, JSON.stringify(content));
  }
}
