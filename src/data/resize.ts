import { ImageSizeError } from "./errors.ts";
import { crop, type Region } from "./crop.ts";
import type { Image } from "./image.ts";

/** The most pixels a resized image may have. */
const MAX_PIXELS = 2 ** 28;
/** Fixed-point weights: 32 bits less 8 for the pixel and 2 against overflow. */
const FRACTION_BITS = 22;
const HALF = 1 << (FRACTION_BITS - 1);

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function lanczos3(x: number): number {
  return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

/** For each output position, the first input position it reads and the weights from there on. */
interface Taps {
  readonly first: Int32Array;
  readonly weights: readonly Int32Array[];
}

/** Output positions along an axis, from the first on. */
interface Span {
  readonly first: number;
  readonly count: number;
}

/**
 * Weights of some outputs of a Lanczos resampling; when shrinking, the filter widens by the scale
 * (antialias).
 */
function tapsOf(inputSize: number, outputSize: number, span: Span): Taps {
  const scale = inputSize / outputSize;
  const stretch = Math.max(1, scale);
  const support = 3 * stretch;
  const first = new Int32Array(span.count);
  const weights = Array.from({ length: span.count }, (_, i) => {
    const center = (span.first + i + 0.5) * scale;
    const begin = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(inputSize, Math.trunc(center + support + 0.5));
    first[i] = begin;
    const inverse = 1 / stretch;
    const exact = Array.from(
      { length: end - begin },
      (_, k) => lanczos3((k + begin - center + 0.5) * inverse),
    );
    const sum = exact.reduce((a, b) => a + b, 0);
    return Int32Array.from(exact, (w) => {
      const scaled = (w / sum) * 2 ** FRACTION_BITS;
      return Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    });
  });
  return { first, weights };
}

function clip8(sum: number): number {
  const value = sum >> FRACTION_BITS;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/** Some columns of an image of another width, in some of its rows. */
function resizeWidth({ width, data }: Image, { first, weights }: Taps, rows: Span): Image {
  const newWidth = weights.length;
  const out = new Uint8Array(newWidth * rows.count * 3);
  let to = 0;
  for (let y = rows.first; y < rows.first + rows.count; y++) {
    for (let x = 0; x < newWidth; x++, to += 3) {
      const taps = weights[x];
      let r = HALF, g = HALF, b = HALF;
      let at = (y * width + first[x]) * 3;
      for (let k = 0; k < taps.length; k++, at += 3) {
        const w = taps[k];
        // Whole numbers below 2³¹: `| 0` keeps them machine integers.
        r = (r + Math.imul(data[at], w)) | 0;
        g = (g + Math.imul(data[at + 1], w)) | 0;
        b = (b + Math.imul(data[at + 2], w)) | 0;
      }
      out[to] = clip8(r);
      out[to + 1] = clip8(g);
      out[to + 2] = clip8(b);
    }
  }
  return { width: newWidth, height: rows.count, data: out };
}

/** Some rows of an image of another height; `above`: how many of its rows are missing at the top. */
function resizeHeight({ width, data }: Image, { first, weights }: Taps, above: number): Image {
  const newHeight = weights.length;
  const row = width * 3;
  const out = new Uint8Array(newHeight * row);
  const sums = new Int32Array(row);
  for (let y = 0; y < newHeight; y++) {
    sums.fill(HALF);
    for (let k = 0; k < weights[y].length; k++) {
      const w = weights[y][k];
      const from = (first[y] + k - above) * row;
      for (let i = 0; i < row; i++) sums[i] += Math.imul(data[from + i], w);
    }
    for (let i = 0; i < row; i++) out[y * row + i] = clip8(sums[i]);
  }
  return { width, height: newHeight, data: out };
}

/**
 * Resizes an image with an antialiased Lanczos filter (three lobes), width first, rounded to 8 bits
 * after each direction, in fixed point: bit for bit what Pillow's `Image.resize(…, LANCZOS)` gives,
 * on every machine.
 *
 * @param image The image.
 * @param width Columns of the result.
 * @param height Rows of the result.
 * @throws {RangeError} If a size is not a whole number from 1, or the result or the step between
 * would have more than 2²⁸ pixels.
 *
 * @example
 * ```ts
 * import { resize } from "@coda/tokenizer";
 *
 * const grey = { width: 4, height: 2, data: new Uint8Array(24).fill(128) };
 * const small = resize(grey, 2, 1);
 * console.assert(small.width === 2 && small.height === 1 && small.data.every((x) => x === 128));
 * ```
 */
export function resize(image: Image, width: number, height: number): Image {
  return resizePart(image, width, height, { left: 0, top: 0, width, height });
}

/**
 * A part of a resized image, without the rest of it: the bytes of `crop(resize(…), …)`.
 *
 * @param part Lies within the resized image.
 * @throws {RangeError} As {@link resize}.
 */
export function resizePart(image: Image, width: number, height: number, part: Region): Image {
  const whole = Number.isInteger(width) && Number.isInteger(height) && width >= 1 && height >= 1;
  if (!whole || width * Math.max(height, image.height) > MAX_PIXELS) {
    throw new ImageSizeError(
      `resize: cannot make ${width}×${height} of ${image.width}×${image.height}; ` +
        `sizes are whole numbers from 1 and at most ${MAX_PIXELS} pixels`,
    );
  }
  if (width === image.width && height === image.height) return cropped(image, part);
  const down = tapsOf(image.height, height, { first: part.top, count: part.height });
  const rows = height === image.height ? { first: part.top, count: part.height } : read(down);
  const across = tapsOf(image.width, width, { first: part.left, count: part.width });
  const wide = width === image.width
    ? cropped(image, { ...part, top: rows.first, height: rows.count })
    : resizeWidth(image, across, rows);
  return height === image.height ? wide : resizeHeight(wide, down, rows.first);
}

/** The inputs that outputs read. */
function read({ first, weights }: Taps): Span {
  const end = weights.reduce((end, taps, i) => Math.max(end, first[i] + taps.length), 0);
  return { first: first[0], count: end - first[0] };
}

function cropped(image: Image, { left, top, width, height }: Region): Image {
  const isWhole = width === image.width && height === image.height;
  return isWhole ? image : crop(image, top, left, height, width);
}

/** Width and height of an image whose shorter side becomes `size`, the other cut to a whole number. */
export function shortSideSize(
  { width, height }: { width: number; height: number },
  size: number,
): { width: number; height: number } {
  return width <= height
    ? { width: size, height: Math.trunc((size * height) / width) }
    : { width: Math.trunc((size * width) / height), height: size };
}

/**
 * Resizes an image so that its shorter side has `size` pixels, keeping the aspect ratio; the longer
 * side is cut to a whole number as torchvision's `Resize` does. See {@link resize}.
 *
 * @throws {RangeError} As {@link resize}; an extreme aspect ratio can ask for too many pixels.
 *
 * @example
 * ```ts
 * import { resizeShortSide } from "@coda/tokenizer";
 *
 * const image = { width: 120, height: 90, data: new Uint8Array(120 * 90 * 3) };
 * const small = resizeShortSide(image, 64);
 * console.assert(small.width === 85 && small.height === 64);
 * ```
 */
export function resizeShortSide(image: Image, size: number): Image {
  const { width, height } = shortSideSize(image, size);
  return resize(image, width, height);
}
