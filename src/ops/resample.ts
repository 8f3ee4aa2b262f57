import { defineKernel, gridFor } from "../gpu/mod.ts";
import { empty, record, ShapeError, shapeText, type Tensor } from "../tensor/mod.ts";

const kernel = defineKernel("resample");

/** The kernel's numbers of the modes. */
const MODES = { nearest: 0, area: 1, bicubic: 2, bilinear: 3 };

const MAX_LENGTH = 2 ** 15 - 1; // the kernel multiplies positions by lengths in 32 bits

/** The height and width that an image is resampled to, in pixels. */
export interface ImageSize {
  /** Rows of the result. */
  height: number;
  /** Columns of the result. */
  width: number;
}

/**
 * Nearest-neighbour resampling of `[N, H, W, C]` to `[N, height, width, C]`: output `i` of `m` reads
 * input `⌊i·n/m⌋` of `n` along each axis, as PyTorch's `interpolate(mode="nearest")`. With twice the
 * height and width it is the upsampling of the VAE's decoder.
 *
 * @throws {ShapeError} where `x` is no f32 `[N, H, W, C]`.
 * @throws {RangeError} where a side, of `x` or of the result, is not from 1 to 32,767.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, nearest } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const y = nearest(fromArray(gpu, [1, 2], [1, 1, 2, 1]), { height: 2, width: 4 });
 * console.log(await y.read()); // 1, 1, 2, 2, 1, 1, 2, 2
 * ```
 */
export function nearest(x: Tensor, size: ImageSize): Tensor {
  return resample("nearest", x, size);
}

/**
 * Area resampling of `[N, H, W, C]` to `[N, height, width, C]`, any size to any size: output `i` of `m`
 * is the mean of the inputs `⌊i·n/m⌋` up to, not including, `⌈(i+1)·n/m⌉` of `n` along each axis
 * (PyTorch's `interpolate(mode="area")`, adaptive average pooling). The quantizer makes its coarse
 * grids with it.
 *
 * @throws {ShapeError} where `x` is no f32 `[N, H, W, C]`.
 * @throws {RangeError} where a side, of `x` or of the result, is not from 1 to 32,767.
 *
 * @example
 * ```ts
 * import { area, fromArray, Gpu } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const y = area(fromArray(gpu, [1, 2, 3, 4], [1, 2, 2, 1]), { height: 1, width: 1 });
 * console.log(await y.read()); // 2.5
 * ```
 */
export function area(x: Tensor, size: ImageSize): Tensor {
  return resample("area", x, size);
}

/**
 * Bicubic resampling of `[N, H, W, C]` to `[N, height, width, C]`, any size to any size: Keys' cubic
 * convolution with a = −0.75, pixel centres at halves, edges repeated, no antialias (PyTorch's
 * `interpolate(mode="bicubic", align_corners=False)`). The quantizer brings its grids back to full
 * size with it.
 *
 * @throws {ShapeError} where `x` is no f32 `[N, H, W, C]`.
 * @throws {RangeError} where a side, of `x` or of the result, is not from 1 to 32,767.
 *
 * @example
 * ```ts
 * import { bicubic, Gpu, normal, Random } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = normal(gpu, [1, 4, 4, 16], new Random(0));
 * console.log(bicubic(x, { height: 16, width: 16 }).shape); // [1, 16, 16, 16]
 * ```
 */
export function bicubic(x: Tensor, size: ImageSize): Tensor {
  return resample("bicubic", x, size);
}

/**
 * Bilinear resampling of `[N, H, W, C]` to `[N, height, width, C]`, any size to any size: pixel centres at
 * halves, edges repeated, no antialias (PyTorch's `interpolate(mode="bilinear", align_corners=False)`).
 * InceptionV3's images are brought to their size with it.
 *
 * @throws {ShapeError} where `x` is no `[N, H, W, C]` of floats.
 * @throws {RangeError} where a side, of `x` or of the result, is not from 1 to 32,767.
 *
 * @example
 * ```ts
 * import { bilinear, fromArray, Gpu } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const y = bilinear(fromArray(gpu, [0, 4], [1, 1, 2, 1]), { height: 1, width: 4 });
 * console.log(await y.read()); // 0, 1, 3, 4
 * ```
 */
export function bilinear(x: Tensor, size: ImageSize): Tensor {
  return resample("bilinear", x, size);
}

/**
 * What {@link bicubic} of `x` leaves of `y`, an image of the size that it makes: `sub(y, bicubic(x, size))`
 * in one dispatch and without gradients, the same bits.
 */
export function lessBicubic(y: Tensor, x: Tensor): Tensor {
  const [, height, width] = y.shape;
  return gather(x, mapOf("bicubic", x, { height, width }), { transposed: false, minuend: y });
}

function resample(mode: keyof typeof MODES, x: Tensor, size: ImageSize): Tensor {
  const map = mapOf(mode, x, size);
  return record(mode, {
    inputs: [x],
    output: gather(x, map, { transposed: false }),
    backward: (dy) => [gather(dy, map, { transposed: true })],
  });
}

interface ResampleMap {
  mode: keyof typeof MODES;
  from: ImageSize;
  to: ImageSize;
}

/** @throws {ShapeError | RangeError} where x is no image, or a side is none. */
function mapOf(
  mode: keyof typeof MODES,
  x: Tensor,
  { height, width }: ImageSize,
): ResampleMap {
  if (x.dtype === "u32" || x.rank !== 4) {
    const found = `${x.dtype} ${shapeText(x.shape)}`;
    throw new ShapeError(mode, `x must be [N, H, W, C] of floats, found ${found}`);
  }
  const from = { height: x.shape[1], width: x.shape[2] };
  const lengths = [from.height, from.width, height, width];
  if (!lengths.every((n) => Number.isInteger(n) && n >= 1 && n <= MAX_LENGTH)) {
    throw new RangeError(
      `${mode}: sides must be whole numbers from 1 to ${MAX_LENGTH}, ` +
        `found ${from.height}×${from.width} to ${height}×${width}`,
    );
  }
  return { mode, from, to: { height, width } };
}

/** Applies the map, or its transpose; the result is subtracted from the minuend if there is one. */
function gather(
  x: Tensor,
  { mode, from, to }: ResampleMap,
  { transposed, minuend }: { transposed: boolean; minuend?: Tensor },
): Tensor {
  const { gpu } = x;
  const images = x.shape[0];
  const channels = x.shape[3];
  const { height, width } = transposed ? from : to;
  const y = empty(gpu, [images, height, width, channels], x.dtype);
  if (y.size === 0) return y;
  const vector = channels % 4 === 0;
  const size = vector ? y.size / 4 : y.size;
  gpu.run(kernel, vector ? "gather4" : "gather1", {
    bind: vector
      ? { input4: x.storage, output4: y.storage, minuend4: minuend?.storage }
      : { input: x.storage, output: y.storage, minuend: minuend?.storage },
    params: {
      size,
      lanes: vector ? channels / 4 : channels,
      from_height: from.height,
      from_width: from.width,
      to_height: to.height,
      to_width: to.width,
    },
    constants: {
      MODE: MODES[mode],
      TRANSPOSED: Number(transposed),
      SUBTRACTED: Number(minuend !== undefined),
    },
    grid: gridFor(size, 64),
  });
  return y;
}
