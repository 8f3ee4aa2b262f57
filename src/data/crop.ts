import type { Image } from "./image.ts";

/** A part of an image, in pixels. */
export interface Region {
  /** Its first column. */
  readonly left: number;
  /** Its first row. */
  readonly top: number;
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
}

/**
 * The part of an image that begins at row `top` and column `left`.
 *
 * @throws {RangeError} If it reaches beyond the image or is empty.
 *
 * @example
 * ```ts
 * import { crop } from "@coda/tokenizer";
 *
 * const image = { width: 2, height: 1, data: new Uint8Array([1, 2, 3, 4, 5, 6]) };
 * console.assert(crop(image, 0, 1, 1, 1).data.join() === "4,5,6");
 * ```
 */
export function crop(
  image: Image,
  top: number,
  left: number,
  height: number,
  width: number,
): Image {
  const whole = [top, left, height, width].every(Number.isInteger);
  const inside = top >= 0 && left >= 0 && height >= 1 && width >= 1 &&
    top + height <= image.height && left + width <= image.width;
  if (!whole || !inside) {
    throw new RangeError(
      `crop: ${width}×${height} at column ${left}, row ${top} does not lie in an image of ` +
        `${image.width}×${image.height}; resize it first or crop less`,
    );
  }
  const data = new Uint8Array(height * width * 3);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * image.width + left) * 3;
    data.set(image.data.subarray(from, from + width * 3), y * width * 3);
  }
  return { width, height, data };
}

/** Half of `n`, rounded to the even number where it lies between two, as Python's `round`. */
function halfToEven(n: number): number {
  const down = Math.floor(n / 2);
  return n % 2 === 0 ? down : down + (down % 2);
}

/**
 * The middle of an image. Where the margin is odd, its half is rounded to even, as torchvision's
 * `CenterCrop` does.
 *
 * @throws {RangeError} If the image is smaller.
 *
 * @example
 * ```ts
 * import { centerCrop } from "@coda/tokenizer";
 *
 * const image = { width: 3, height: 1, data: new Uint8Array([1, 1, 1, 2, 2, 2, 3, 3, 3]) };
 * console.assert(centerCrop(image, 1, 1).data.join() === "2,2,2");
 * ```
 */
export function centerCrop(image: Image, height: number, width: number): Image {
  const { top, left } = centerRegion(image, height, width);
  return crop(image, top, left, height, width);
}

/** Where {@link centerCrop} cuts an image of a size. */
export function centerRegion(
  size: { readonly width: number; readonly height: number },
  height: number,
  width: number,
): Region {
  const top = halfToEven(Math.max(0, size.height - height));
  const left = halfToEven(Math.max(0, size.width - width));
  return { left, top, width, height };
}

/**
 * A part of an image, every place equally likely. Draws two numbers: for the row, then the column.
 *
 * @param random Gives numbers in [0, 1).
 * @throws {RangeError} If the image is smaller.
 *
 * @example
 * ```ts
 * import { randomCrop } from "@coda/tokenizer";
 *
 * const image = { width: 2, height: 1, data: new Uint8Array([1, 1, 1, 2, 2, 2]) };
 * console.assert(randomCrop(image, 1, 1, () => 0.9).data[0] === 2);
 * ```
 */
export function randomCrop(
  image: Image,
  height: number,
  width: number,
  random: () => number,
): Image {
  const { top, left } = randomRegion(image, height, width, random);
  return crop(image, top, left, height, width);
}

/** Where {@link randomCrop} cuts an image of a size. */
export function randomRegion(
  size: { readonly width: number; readonly height: number },
  height: number,
  width: number,
  random: () => number,
): Region {
  const top = Math.floor(random() * (Math.max(0, size.height - height) + 1));
  const left = Math.floor(random() * (Math.max(0, size.width - width) + 1));
  return { left, top, width, height };
}
