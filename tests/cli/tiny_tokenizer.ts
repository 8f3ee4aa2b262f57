import { join } from "@std/path";
import { type TensorToStore, writeSafetensors } from "../../src/checkpoint/mod.ts";
import { type Image, saveImage } from "../../src/data/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import {
  CodaQuantizer,
  type CodaQuantizerConfig,
  quantizerConfigToJson,
} from "../../src/quantizer/mod.ts";
import { Random } from "../../src/tensor/mod.ts";
import { AutoencoderKL, type VaeConfig, vaeConfigToJson } from "../../src/vae/mod.ts";
import { TINY_VAE } from "../train/tiny.ts";

const QUANTIZER: CodaQuantizerConfig = {
  codebookSize: 16,
  channels: 4,
  attentionDim: 8,
  patchSizes: [1, 2, 4],
  norm: "rms",
  beta: 0.05,
};

/** How a tokenizer for tests differs from the usual. */
export interface TinyOptions {
  /** Decides its weights, and so its model id. */
  seed?: number;
  /** Its VAE. */
  vae?: VaeConfig;
  /** Changes the tensors before they are written. */
  change?: (tensors: TensorToStore[]) => TensorToStore[];
}

/** Writes a tokenizer of random weights. */
export async function writeTokenizer(
  gpu: Gpu,
  folder: string,
  { seed = 1, vae: config = TINY_VAE, change = (tensors) => tensors }: TinyOptions = {},
): Promise<void> {
  using vae = new AutoencoderKL(gpu, config);
  using quantizer = new CodaQuantizer(gpu, QUANTIZER);
  vae.parameters.initialize(new Random(seed, 0));
  quantizer.parameters.initialize(new Random(seed, 1));
  const tensors = [
    ...(await vae.parameters.weights()).map((w) => ({ ...w, name: `vae.${w.name}` })),
    ...(await quantizer.parameters.weights()).map((w) => ({ ...w, name: `quantizer.${w.name}` })),
  ];
  await Deno.mkdir(folder, { recursive: true });
  await writeSafetensors(join(folder, "model.safetensors"), change(tensors));
  const json = { vae: vaeConfigToJson(config), quantizer: quantizerConfigToJson(QUANTIZER) };
  await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify(json));
}

/** An image in which every pixel differs from its neighbours. */
export function pattern(width: number, height: number, step = 7): Image {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * step) % 251);
  return { width, height, data };
}

/** Writes images of these sizes as 0.png, 1.png, … */
export async function writeImages(
  folder: string,
  sizes: readonly (readonly [number, number])[],
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (const [i, [width, height]] of sizes.entries()) {
    await saveImage(join(folder, `${i}.png`), pattern(width, height, 7 + i));
  }
}

/** Everything below a folder, as paths with the text of each file. */
export async function contents(folder: string, below = ""): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { name, isDirectory } of Deno.readDir(join(folder, below))) {
    const path = below === "" ? name : `${below}/${name}`;
    if (isDirectory) Object.assign(found, await contents(folder, path));
    else found[path] = (await Deno.readFile(join(folder, path))).toHex();
  }
  return found;
}
