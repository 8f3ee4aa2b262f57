import type { Raster } from "./raster.ts";

/**
 * Peak signal-to-noise ratio of an image in decibels, `10·log₁₀(255² / mean squared error)`;
 * Infinity for an equal one.
 *
 * @throws {TypeError} where the sizes differ.
 *
 * @example
 * ```ts
 * import { psnr } from "@coda/tokenizer";
 *
 * const grey = (value: number) => ({ width: 1, height: 1, data: new Uint8Array(3).fill(value) });
 * console.assert(Math.abs(psnr(grey(0), grey(255))) < 1e-12);
 * ```
 */
export function psnr(found: Raster, expected: Raster): number {
  if (found.width !== expected.width || found.height !== expected.height) {
    throw new TypeError(
      `psnr: found ${found.width}×${found.height}, expected ${expected.width}×${expected.height}`,
    );
  }
  let sum = 0;
  for (let i = 0; i < expected.data.length; i++) sum += (found.data[i] - expected.data[i]) ** 2;
  return 10 * Math.log10(255 ** 2 * expected.data.length / sum);
}

/**
 * The mean of the images' PSNR (SPEC section 7).
 *
 * @throws {TypeError} where the lists or two images differ in size.
 * @throws {RangeError} where there is no image.
 *
 * @example
 * ```ts
 * import { meanPsnr } from "@coda/tokenizer";
 *
 * const grey = (value: number) => ({ width: 1, height: 1, data: new Uint8Array(3).fill(value) });
 * console.assert(Math.abs(meanPsnr([grey(0), grey(255)], [grey(255), grey(0)])) < 1e-12);
 * ```
 */
export function meanPsnr(found: readonly Raster[], expected: readonly Raster[]): number {
  if (found.length !== expected.length) {
    throw new TypeError(`meanPsnr: ${found.length} images for ${expected.length}`);
  }
  if (found.length === 0) throw new RangeError("meanPsnr: there are no images");
  return found.reduce((sum, image, i) => sum + psnr(image, expected[i]), 0) / found.length;
}
