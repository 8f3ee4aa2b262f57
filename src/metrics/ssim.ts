import { ImageSizeError } from "../data/errors.ts";
import type { Raster } from "./raster.ts";

/** The window: a Gaussian of this many pixels each way. */
const WINDOW = 11;
const SIGMA = 1.5;
/** What keeps a quotient of small numbers steady. */
const C1 = (0.01 * 255) ** 2;
const C2 = (0.03 * 255) ** 2;

/**
 * Structural similarity of an image (Wang et al. 2004; SPEC section 7): a Gaussian window of 11 by
 * 11 pixels with σ 1.5 wherever all of it lies within the image, the mean over all places and colours; 1
 * for an equal image.
 *
 * @throws {TypeError} where the sizes differ.
 * @throws {ImageSizeError} where a side is shorter than the window.
 *
 * @example
 * ```ts
 * import { ssim } from "@coda/tokenizer";
 *
 * const grey = (value: number) => ({
 *   width: 11,
 *   height: 11,
 *   data: new Uint8Array(11 * 11 * 3).fill(value),
 * });
 * console.assert(ssim(grey(9), grey(9)) === 1 && ssim(grey(0), grey(255)) < 0.001);
 * ```
 */
export function ssim(found: Raster, expected: Raster): number {
  const { width, height } = expected;
  if (found.width !== width || found.height !== height) {
    throw new TypeError(`ssim: found ${found.width}×${found.height}, expected ${width}×${height}`);
  }
  if (Math.min(width, height) < WINDOW) {
    throw new ImageSizeError(`ssim: ${width}×${height} is smaller than its window of 11×11`);
  }
  const colours = [0, 1, 2].map((c) => ofColour(planeOf(found, c), planeOf(expected, c), width));
  return colours.reduce((sum, value) => sum + value, 0) / colours.length;
}

/**
 * The mean of the images' SSIM (SPEC section 7).
 *
 * @throws {TypeError} where the lists or two images differ in size.
 * @throws {RangeError} where there is no image, or one is too small.
 *
 * @example
 * ```ts
 * import { meanSsim } from "@coda/tokenizer";
 *
 * const black = { width: 11, height: 11, data: new Uint8Array(11 * 11 * 3) };
 * console.assert(meanSsim([black, black], [black, black]) === 1);
 * ```
 */
export function meanSsim(found: readonly Raster[], expected: readonly Raster[]): number {
  if (found.length !== expected.length) {
    throw new TypeError(`meanSsim: ${found.length} images for ${expected.length}`);
  }
  if (found.length === 0) throw new RangeError("meanSsim: there are no images");
  return found.reduce((sum, image, i) => sum + ssim(image, expected[i]), 0) / found.length;
}

function ofColour(x: Float64Array, y: Float64Array, width: number): number {
  const product = (a: Float64Array, b: Float64Array) => a.map((value, i) => value * b[i]);
  const [mx, my, xx, yy, xy] = [x, y, product(x, x), product(y, y), product(x, y)]
    .map((plane) => blurred(plane, width));
  let sum = 0;
  for (let i = 0; i < mx.length; i++) {
    const covariance = xy[i] - mx[i] * my[i];
    const variances = xx[i] - mx[i] ** 2 + yy[i] - my[i] ** 2;
    sum += (2 * mx[i] * my[i] + C1) * (2 * covariance + C2) /
      ((mx[i] ** 2 + my[i] ** 2 + C1) * (variances + C2));
  }
  return sum / mx.length;
}

function planeOf({ data }: Raster, colour: number): Float64Array {
  return Float64Array.from({ length: data.length / 3 }, (_, i) => data[3 * i + colour]);
}

/** The window's weights along one axis. */
const WEIGHTS = (() => {
  const weights = Array.from(
    { length: WINDOW },
    (_, i) => Math.exp(-((i - (WINDOW - 1) / 2) ** 2) / (2 * SIGMA ** 2)),
  );
  const total = weights.reduce((sum, weight) => sum + weight);
  return weights.map((weight) => weight / total);
})();

/** The window's means at all places where it lies within the plane, along rows and then columns. */
function blurred(plane: Float64Array, width: number): Float64Array {
  const height = plane.length / width;
  const places = width - WINDOW + 1;
  const rows = new Float64Array(places * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < places; x++) {
      for (let k = 0; k < WINDOW; k++) {
        rows[y * places + x] += WEIGHTS[k] * plane[y * width + x + k];
      }
    }
  }
  const all = new Float64Array(places * (height - WINDOW + 1));
  for (let i = 0; i < all.length; i++) {
    for (let k = 0; k < WINDOW; k++) all[i] += WEIGHTS[k] * rows[i + k * places];
  }
  return all;
}
