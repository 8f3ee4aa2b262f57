import { writeSafetensors } from "../../src/checkpoint/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { DinoDiscriminator, DinoVit, Lpips, type VitConfig } from "../../src/losses/mod.ts";
import type { Parameters } from "../../src/nn/mod.ts";
import { Random } from "../../src/tensor/mod.ts";
import type { AdaptOptions, Critics } from "../../src/train/mod.ts";

/** The pixels per side of images that tiny critics take as they are: what is larger is cropped or resized. */
export const CRITIC_SIZE = 16;
/** The channels of a VGG16 that costs nothing. */
const CHANNELS = [2, 3, 2, 3, 2];
/** A transformer of one block and four patches. */
const VIT: VitConfig = {
  imageSize: CRITIC_SIZE,
  patchSize: 8,
  width: 64,
  heads: 1,
  depth: 1,
  readouts: [0],
};

/** Critics so small that a step takes milliseconds, with seeded values; the caller disposes them. */
export function tinyCritics(gpu: Gpu): Required<Critics> & Disposable {
  const perceptual = tinyLpips(gpu);
  const vit = tinyVit(gpu);
  const discriminator = new DinoDiscriminator(vit);
  discriminator.initialize(new Random(6));
  return {
    perceptual,
    discriminator,
    [Symbol.dispose]() {
      for (const part of [perceptual, discriminator, vit]) part[Symbol.dispose]();
    },
  };
}

/** Writes their frozen weights into files, and returns the options that name these. */
export async function tinyCriticFiles(
  gpu: Gpu,
  folder: string,
): Promise<Pick<AdaptOptions, "vgg" | "lpips" | "dino" | "imageSize">> {
  using perceptual = tinyLpips(gpu);
  using vit = tinyVit(gpu);
  const write = async (name: string, parameters: Parameters) => {
    const path = `${folder}/${name}.safetensors`;
    await writeSafetensors(path, await parameters.weights());
    return path;
  };
  return {
    vgg: await write("vgg16", perceptual.vgg.parameters),
    lpips: await write("lpips", perceptual.parameters),
    dino: await write("dino", vit.parameters),
    imageSize: CRITIC_SIZE,
  };
}

function tinyLpips(gpu: Gpu): Lpips {
  const lpips = new Lpips(gpu, CHANNELS);
  lpips.vgg.parameters.initialize(new Random(4));
  for (const [i, count] of CHANNELS.entries()) {
    lpips.parameters.set(`lin${i}.model.1.weight`, new Float32Array(count).fill(0.5));
  }
  return lpips;
}

function tinyVit(gpu: Gpu): DinoVit {
  const vit = new DinoVit(gpu, VIT);
  vit.parameters.initialize(new Random(5));
  return vit;
}
