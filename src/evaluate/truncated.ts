import type { Image } from "../data/mod.ts";

/**
 * A network's output as the official evaluation makes 8 bits of it for PSNR and SSIM: `x·0.5 + 0.5`
 * clamped to [0, 1], times 255, in float32, and cut off. It takes one from 63 of the 256 values of an
 * image that went the other way, the original too.
 *
 * @param values `height · width · 3` values in [−1, 1], HWC.
 */
export function truncatedImage(values: Float32Array, width: number, height: number): Image {
  const data = Uint8Array.from(values, (value) => {
    const share = Math.min(Math.max(Math.fround(value * 0.5 + 0.5), 0), 1);
    return Math.trunc(Math.fround(share * 255));
  });
  return { width, height, data };
}
