import type { Gpu } from "../gpu/mod.ts";
import { psnr, type Raster, ssim } from "../metrics/mod.ts";
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
  { original, continuous, discrete, prefixes, indices }: Reconstructed,
  judges: Judges,
): Promise<MeasuredImage> {
  const { width, height } = original;
  const rasters = [original, continuous, discrete];
  const features: Record<string, Float32Array[]> = {};
  for (const network of judges.networks) {
    features[network.name] = [];
    for (const raster of rasters) {
      features[network.name].push(await read(gpu, raster, (x) => network.pooled(x)));
    }
  }
  return {
    file,
    width,
    height,
    continuous: await qualityOf(gpu, continuous, original, judges),
    discrete: await qualityOf(gpu, discrete, original, judges),
    prefixes: prefixes.map((found) => ofPixels(found, original)),
    indices,
    features,
  };
}

async function qualityOf(
  gpu: Gpu,
  found: Raster,
  original: Raster,
  { lpips }: Judges,
): Promise<ImageQuality> {
  const quality = ofPixels(found, original);
  if (!lpips) return quality;
  const [distance] = await read(gpu, found, (x) => lpips.distances(x, inputOf(gpu, original)));
  return { ...quality, lpips: distance };
}

function ofPixels(found: Raster, original: Raster): Pick<ImageQuality, "psnr" | "ssim"> {
  const decibels = psnr(found, original);
  return { psnr: decibels === Infinity ? null : decibels, ssim: ssim(found, original) };
}

/** What a network says of an image. */
async function read(
  gpu: Gpu,
  image: Raster,
  network: (x: Tensor) => Tensor,
): Promise<Float32Array> {
  const record = () => {
    using _scope = gpu.scope();
    return network(inputOf(gpu, image)).readF32();
  };
  const values = await noGrad(record);
  expectFinite("what a network says of the image", values, false);
  return values;
}
