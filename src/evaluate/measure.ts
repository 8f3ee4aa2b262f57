import type { Image } from "../data/mod.ts";
import type { Gpu } from "../gpu/mod.ts";
import { psnr, ssim } from "../metrics/mod.ts";
import { noGrad, type Tensor } from "../tensor/mod.ts";
import { expectFinite } from "../vae/finite.ts";
import type { Judges } from "./judges.ts";
import { inputOf, type Reconstructed } from "./reconstruct.ts";

/** How good one reconstruction of an image is. */
export interface ImageQuality {
  /** In decibels; null where it equals the original, which JSON has no number for. */
  readonly psnr: number | null;
  /** Structural similarity. */
  readonly ssim: number;
  /** LPIPS, where its weights are at hand. */
  readonly lpips?: number;
}

/** What was found of one image. */
export interface MeasuredImage {
  /** The image's file. */
  readonly file: string;
  /** Width as the protocol cuts it, in pixels. */
  readonly width: number;
  /** Height as the protocol cuts it, in pixels. */
  readonly height: number;
  /** Through the continuous VAE. */
  readonly continuous: ImageQuality;
  /** From its tokens. */
  readonly discrete: ImageQuality;
  /** From the first 1, 2, … scales of its tokens, all but the last; none where they are not asked for. */
  readonly prefixes: readonly Pick<ImageQuality, "psnr" | "ssim">[];
  /** The codes of each scale. */
  readonly indices: readonly Uint32Array[];
  /** By network, the features of the original, of the continuous and of the discrete image. */
  readonly features: Readonly<Record<string, readonly Float32Array[]>>;
}

/** Measures an image's reconstructions. @throws {RangeError} where SSIM's window does not fit. */
export async function measure(
  gpu: Gpu,
  file: string,
  { original, continuous, discrete, prefixes, indices, values }: Reconstructed,
  { lpips, networks }: Judges,
): Promise<MeasuredImage> {
  const { width, height } = original;
  const inputs = [original, continuous, discrete].map((image, i) => () =>
    inputOf(gpu, image, values?.[i])
  );
  const features: Record<string, Float32Array[]> = {};
  for (const network of networks) {
    const rows: Float32Array[] = features[network.name] = [];
    for (const input of inputs) rows.push(await read(gpu, () => network.pooled(input())));
  }
  const qualityOf = async (found: Image, input: () => Tensor): Promise<ImageQuality> => {
    const quality = ofPixels(found, original);
    if (!lpips) return quality;
    const [distance] = await read(gpu, () => lpips.distances(input(), inputs[0]()));
    return { ...quality, lpips: distance };
  };
  return {
    file,
    width,
    height,
    continuous: await qualityOf(continuous, inputs[1]),
    discrete: await qualityOf(discrete, inputs[2]),
    prefixes: prefixes.map((found) => ofPixels(found, original)),
    indices,
    features,
  };
}

function ofPixels(found: Image, original: Image): Pick<ImageQuality, "psnr" | "ssim"> {
  const decibels = psnr(found, original);
  return { psnr: decibels === Infinity ? null : decibels, ssim: ssim(found, original) };
}

/** What a network says. */
async function read(gpu: Gpu, network: () => Tensor): Promise<Float32Array> {
  const record = () => {
    using _scope = gpu.scope();
    return network().readF32();
  };
  const values = await noGrad(record);
  expectFinite("what a network says of the image", values, false);
  return values;
}
