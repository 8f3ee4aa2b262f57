import sharp from "sharp";
import type { Image } from "./image.ts";

/** An image as a WebP file: without loss, or of a quality from 1 to 100. */
export async function webp(image: Image, quality: number | "lossless"): Promise<Uint8Array> {
  const { width, height, data } = image;
  const raw = sharp(data, { raw: { width, height, channels: 3 } });
  return await raw.webp(
    quality === "lossless" ? { lossless: true } : { quality, smartSubsample: true },
  ).toBuffer();
}
