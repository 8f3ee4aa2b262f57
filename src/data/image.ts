/** An image in memory: 8-bit sRGB, rows of pixels of three bytes (HWC). */
export interface Image {
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** `height · width · 3` bytes. */
  readonly data: Uint8Array;
}

/** x / 255 in float32, then x + x − 1, for each byte x: the order of the official transform. */
const TO_FLOAT = Float32Array.from({ length: 256 }, (_, byte) => 2 * Math.fround(byte / 255) - 1);

/**
 * An image as the network's input: float32 in [−1, 1], still HWC.
 *
 * @param image The image.
 * @param into Where to put the values; new memory if not given.
 * @throws {RangeError} If `into` has another length than the image's data.
 *
 * @example
 * ```ts
 * import { imageToFloat } from "@coda/tokenizer";
 *
 * const pixel = { width: 1, height: 1, data: new Uint8Array([0, 255, 51]) };
 * const x = imageToFloat(pixel);
 * console.assert(x[0] === -1 && x[1] === 1 && Math.abs(x[2] + 0.6) < 1e-6);
 * ```
 */
export function imageToFloat(
  image: Image,
  into: Float32Array<ArrayBuffer> = new Float32Array(image.data.length),
): Float32Array<ArrayBuffer> {
  const { data } = image;
  if (into.length !== data.length) {
    throw new RangeError(`imageToFloat: into has ${into.length} values, expected ${data.length}`);
  }
  for (let i = 0; i < data.length; i++) into[i] = TO_FLOAT[data[i]];
  return into;
}

/**
 * The network's output as an image: clamped to [−1, 1] and rounded to 8 bits (ties to even; not a
 * number becomes 0).
 *
 * @param values `height · width · 3` values in [−1, 1], HWC.
 * @param width Columns.
 * @param height Rows.
 * @throws {RangeError} If the number of values is another.
 *
 * @example
 * ```ts
 * import { floatToImage } from "@coda/tokenizer";
 *
 * const image = floatToImage(new Float32Array([-1.5, 0.2, 1]), 1, 1);
 * console.assert(image.data.join() === "0,153,255");
 * ```
 */
export function floatToImage(values: Float32Array, width: number, height: number): Image {
  if (values.length !== width * height * 3) {
    throw new RangeError(
      `floatToImage: found ${values.length} values, expected ${width}×${height}×3`,
    );
  }
  // Stores into a clamped array clamp and round as described.
  const clamped = new Uint8ClampedArray(values.length);
  for (let i = 0; i < values.length; i++) clamped[i] = (values[i] + 1) * 127.5;
  return { width, height, data: new Uint8Array(clamped.buffer) };
}
