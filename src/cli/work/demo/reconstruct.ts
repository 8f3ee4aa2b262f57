/** Held-out photographs through tokenizers. */
import { floatToImage, type Image, imageToFloat } from "../../../data/mod.ts";
import { psnr } from "../../../metrics/mod.ts";
import { tokenCount } from "../../../quantizer/mod.ts";
import { fromArray } from "../../../tensor/mod.ts";
import type { Tokenizer } from "../../../tokenizer.ts";
import type { Tokens } from "../../../tokens/mod.ts";
import { bitsPerIndex } from "../../../tokens/tokens.ts";
import type { AutoencoderKL } from "../../../vae/mod.ts";
import type { HeldOut } from "./prepare.ts";

/** An image, and its PSNR to the original in decibels. */
export interface Copy {
  /** The image. */
  readonly image: Image;
  /** PSNR in decibels. */
  readonly psnr: number;
}

/** A photograph as a tokenizer gives it back. */
export interface Reconstruction {
  /** The photograph. */
  readonly original: HeldOut;
  /** Its tokens. */
  readonly tokens: Tokens;
  /** The image after 1, 2, … all scales. */
  readonly scales: readonly Copy[];
  /** The image after all scales. */
  readonly discrete: Copy;
}

/** Encodes a photograph and decodes each prefix of its scales, or all of them only. */
export async function reconstruct(
  tokenizer: Tokenizer,
  original: HeldOut,
  { prefixes }: { prefixes: boolean },
): Promise<Reconstruction> {
  const tokens = await tokenizer.encode(original.image);
  const all = tokens.grids.length;
  const scales: Copy[] = [];
  for (let k = prefixes ? 1 : all; k <= all; k++) {
    scales.push(copyOf(original, await tokenizer.decode(tokens, { scales: k })));
  }
  return { original, tokens, scales, discrete: scales[scales.length - 1] };
}

/** A photograph through a continuous VAE; its sides are multiples of the VAE's reduction. */
export async function continuous(vae: AutoencoderKL, original: HeldOut): Promise<Copy> {
  const { width, height } = original.image;
  const values = await recordContinuous(vae, original.image);
  return copyOf(original, floatToImage(values, width, height));
}

function recordContinuous(vae: AutoencoderKL, image: Image): Promise<Float32Array> {
  const { gpu } = vae.parameters;
  using _scope = gpu.scope();
  const input = fromArray(gpu, imageToFloat(image), [1, image.height, image.width, 3]);
  return vae.decode(vae.encode(input).mean).readF32();
}

/** An image with its distance to the original. */
function copyOf(original: HeldOut, image: Image): Copy {
  return { image, psnr: psnr(image, original.image) };
}

/** Bits of the tokens for each pixel. */
export function bitsPerPixel({ width, height, grids, codebookSize }: Tokens): number {
  return tokenCount(grids) * bitsPerIndex(codebookSize) / (width * height);
}
