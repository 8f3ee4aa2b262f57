import { add, area, bicubic, mul, slice } from "../../ops/mod.ts";
import { constants, type Random, type Tensor } from "../../tensor/mod.ts";

/** ImageNet's mean and deviation of red, green and blue in [0, 1]. */
const MEAN = [0.485, 0.456, 0.406];
const DEVIATION = [0.229, 0.224, 0.225];

/** The upper left corner of a crop, in pixels. */
export interface CropCorner {
  /** Rows above it. */
  readonly top: number;
  /** Columns to its left. */
  readonly left: number;
}

/**
 * Draws whether a batch's images are cropped instead of resized, and where: half of the time, where both
 * sides exceed `size` (SPEC section 5). Undefined means resized.
 *
 * @example
 * ```ts
 * import { drawCrop } from "@coda/tokenizer";
 * import { Random } from "@coda/tokenizer/tensor";
 *
 * console.assert(drawCrop(new Random(0), { height: 224, width: 512 }, 224) === undefined);
 * ```
 */
export function drawCrop(
  random: Random,
  { height, width }: { height: number; width: number },
  size: number,
): CropCorner | undefined {
  if (height <= size || width <= size || random.uniform() >= 0.5) return undefined;
  return { top: random.integer(height - size + 1), left: random.integer(width - size + 1) };
}

/**
 * Brings images [B, H, W, 3] in [-1, 1] to what the ViT takes: `size` × `size`, normalised by ImageNet's
 * mean and deviation. They are cropped at `crop` where it is given, else resized: by area where they are
 * higher than `size`, else bicubically.
 */
export function vitInput(images: Tensor, size: number, crop?: CropCorner): Tensor {
  using scope = images.gpu.scope();
  const resized = crop ? cropped(images, size, crop) : resize(images, size);
  const scale = constants(images.gpu, DEVIATION.map((deviation) => 0.5 / deviation), [3]);
  const shift = constants(images.gpu, DEVIATION.map((d, i) => (0.5 - MEAN[i]) / d), [3]);
  return scope.keep(add(mul(resized, scale), shift));
}

function cropped(images: Tensor, size: number, { top, left }: CropCorner): Tensor {
  return slice(images, [0, top, left], [images.shape[0], top + size, left + size]);
}

function resize(images: Tensor, size: number): Tensor {
  const [, height, width] = images.shape;
  if (height === size && width === size) return images;
  return (height > size ? area : bicubic)(images, { height: size, width: size });
}
