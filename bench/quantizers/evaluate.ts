import {
  centerCrop,
  findImages,
  type Image,
  loadImage,
  resizeShortSide,
} from "../../src/data/mod.ts";
import { type CodebookUse, codebookUse, meanPsnr, meanSsim } from "../../src/metrics/mod.ts";
import type { Tokenizer } from "../../src/tokenizer.ts";

/** Images that are encoded together. */
const TOGETHER = 9;

/** How near reconstructions are to photographs. */
export interface Quality {
  /** In decibels, on 8 bits, the mean over images. */
  readonly psnr: number;
  /** The mean over colours and images. */
  readonly ssim: number;
}

/** What a tokenizer makes of photographs. */
export interface Evaluation extends Quality {
  /** Tokens of one image. */
  readonly tokens: number;
  /** The use of the codebook over all images and scales. */
  readonly codebook: CodebookUse;
  /** The same of each scale, coarse to fine. */
  readonly scales: readonly CodebookUse[];
}

/** Photographs by the protocol `center-N`: Lanczos to a short side of N, and the square in the middle. */
export async function photographs(folder: string, side: number): Promise<Image[]> {
  const files = await findImages([folder]);
  const images = await Promise.all(files.map((file) => loadImage(file)));
  return images.map((image) => centerCrop(resizeShortSide(image, side), side, side));
}

/** The photographs from their tokens. */
export async function evaluate(
  tokenizer: Tokenizer,
  images: readonly Image[],
): Promise<Evaluation> {
  const { codebookSize } = tokenizer.quantizer.config;
  const decoded: Image[] = [];
  const indices: (readonly Uint32Array[])[] = [];
  for (let start = 0; start < images.length; start += TOGETHER) {
    for (const tokens of await tokenizer.encodeBatch(images.slice(start, start + TOGETHER))) {
      indices.push(tokens.indices);
      decoded.push(await tokenizer.decode(tokens));
    }
  }
  const ofScale = (scale: number) => indices.map((image) => image[scale]);
  return {
    psnr: meanPsnr(decoded, images),
    ssim: meanSsim(decoded, images),
    tokens: indices[0].reduce((count, { length }) => count + length, 0),
    codebook: codebookUse(indices.flat(), codebookSize),
    scales: indices[0].map((_, scale) => codebookUse(ofScale(scale), codebookSize)),
  };
}

/** The photographs through the VAE alone, its latent continuous. */
export async function evaluateContinuous(
  tokenizer: Tokenizer,
  images: readonly Image[],
): Promise<Quality> {
  const found: Image[] = [];
  for (const image of images) found.push(await tokenizer.reconstruct(image));
  return { psnr: meanPsnr(found, images), ssim: meanSsim(found, images) };
}
