import {
  centerCrop,
  findImages,
  type Image,
  loadImage,
  resizeShortSide,
} from "../../src/data/mod.ts";
import { type FeatureNetwork, type Judges, loadJudges } from "../../src/evaluate/mod.ts";
import { inputOf } from "../../src/evaluate/reconstruct.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import {
  type CodebookUse,
  codebookUse,
  meanPsnr,
  meanSsim,
  pairedKernelDistance,
  psnr,
} from "../../src/metrics/mod.ts";
import { noGrad } from "../../src/tensor/mod.ts";
import type { Tokenizer } from "../../src/tokenizer.ts";

/** Images that are encoded together. */
const TOGETHER = 9;

/** How near reconstructions are to photographs. */
export interface Quality {
  /** In decibels, on 8 bits, the mean over images. */
  readonly psnr: number;
  /** The mean over colours and images. */
  readonly ssim: number;
  /** `resnet50-kid`: how far the set is from the photographs' by ResNet-50's features. */
  readonly kid: number;
  /** The PSNR of each image. */
  readonly psnrs: readonly number[];
  /** The distance of the set without each image, which tells how much it depends on which there are. */
  readonly kidsWithout: readonly number[];
}

/** What a tokenizer makes of photographs. */
export interface TokenQuality extends Quality {
  /** Tokens of one image. */
  readonly tokens: number;
  /** The use of the codebook over all images and scales. */
  readonly codebook: CodebookUse;
}

/** Held-out photographs, and the measures of what becomes of them. */
export class Photographs implements Disposable {
  /** The photographs by the protocol `center-N`. */
  readonly images: readonly Image[];
  #gpu: Gpu;
  #judges: Judges;
  #features: Float32Array[];

  private constructor(gpu: Gpu, images: Image[], judges: Judges, features: Float32Array[]) {
    this.images = images;
    this.#gpu = gpu;
    this.#judges = judges;
    this.#features = features;
  }

  /** Loads them: Lanczos to a short side of N, and the square in the middle. */
  static async load(gpu: Gpu, folder: string, side: number): Promise<Photographs> {
    const files = await findImages([folder]);
    const images: Image[] = [];
    for (const file of files) {
      images.push(centerCrop(resizeShortSide(await loadImage(file), side), side, side));
    }
    const judges = await loadJudges(gpu, { features: "resnet50" }, console.error);
    return new Photographs(gpu, images, judges, await featuresOf(gpu, judges.networks[0], images));
  }

  /** The photographs from their tokens. */
  async fromTokens(tokenizer: Tokenizer): Promise<TokenQuality> {
    const { codebookSize } = tokenizer.quantizer.config;
    const decoded: Image[] = [];
    const indices: (readonly Uint32Array[])[] = [];
    for (let start = 0; start < this.images.length; start += TOGETHER) {
      const images = this.images.slice(start, start + TOGETHER);
      for (const tokens of await tokenizer.encodeBatch(images)) {
        indices.push(tokens.indices);
        decoded.push(await tokenizer.decode(tokens));
      }
    }
    return {
      ...await this.#qualityOf(decoded),
      tokens: indices[0].reduce((count, { length }) => count + length, 0),
      codebook: codebookUse(indices.flat(), codebookSize),
    };
  }

  /** The photographs through a tokenizer's VAE alone, the latent continuous. */
  async continuous(tokenizer: Tokenizer): Promise<Quality> {
    const found: Image[] = [];
    for (const image of this.images) found.push(await tokenizer.reconstruct(image));
    return await this.#qualityOf(found);
  }

  async #qualityOf(found: readonly Image[]): Promise<Quality> {
    const features = await featuresOf(this.#gpu, this.#judges.networks[0], found);
    const without = (i: number) =>
      pairedKernelDistance(features.toSpliced(i, 1), this.#features.toSpliced(i, 1));
    return {
      psnr: meanPsnr(found, this.images),
      ssim: meanSsim(found, this.images),
      kid: pairedKernelDistance(features, this.#features),
      psnrs: found.map((image, i) => rounded(psnr(image, this.images[i]))),
      kidsWithout: found.map((_, i) => rounded(without(i))),
    };
  }

  /** Frees the network. */
  [Symbol.dispose](): void {
    this.#judges[Symbol.dispose]();
  }
}

/** To a millionth, far below what they differ by: a file is read by people too. */
function rounded(value: number): number {
  return Number(value.toFixed(6));
}

async function featuresOf(
  gpu: Gpu,
  network: FeatureNetwork,
  images: readonly Image[],
): Promise<Float32Array[]> {
  const found: Float32Array[] = [];
  for (const image of images) {
    found.push(
      await noGrad(() => {
        using _scope = gpu.scope();
        return network.pooled(inputOf(gpu, image)).readF32();
      }),
    );
  }
  return found;
}
