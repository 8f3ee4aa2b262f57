import { add, area, bicubic, cropOr, mul } from "../../ops/mod.ts";
import { constants, type Random, type Tensor } from "../../tensor/mod.ts";

/** ImageNet's mean and deviation of red, green and blue in [0, 1]. */
const MEAN = [0.485, 0.456, 0.406];
const DEVIATION = [0.229, 0.224, 0.225];

/**
 * Draws whether a batch's images are cropped instead of resized, and where: half of the time, where both
 * sides exceed `size` (SPEC section 5). What {@link cropOr} takes, as three numbers; where the images are
 * never cropped, undefined.
 *
 * @example
 * ```ts
 * import { drawCrop } from "@coda/tokenizer";
 * import { Random } from "@coda/tokenizer/tensor";
 *
 * console.assert(drawCrop(new Random(0), { height: 224, width: 512 }, 224) === undefined);
 * const [isCropped, top, left] = drawCrop(new Random(0), { height: 225, width: 225 }, 224)!;
 * console.assert(isCropped === 0 || top <= 1 && left <= 1);
 * ```
 */
export function drawCrop(
  random: Random,
  { height, width }: { height: number; width: number },
  size: number,
): Uint32Array<ArrayBuffer> | undefined {
  if (height <= size || width <= size) return undefined;
  if (random.uniform() >= 0.5) return Uint32Array.of(0, 0, 0);
  return Uint32Array.of(1, random.integer(height - size + 1), random.integer(width - size + 1));
}

/**
 * Brings images [B, H, W, 3] in [-1, 1] to what the ViT takes: `size` × `size`, normalised by ImageNet's
 * mean and deviation. They are resized, by area where they are higher than `size`, else bicubically; or
 * cropped, where `crop` says so, which is u32 [3] as {@link drawCrop} draws it.
 */
export function vitInput(images: Tensor, size: number, crop?: Tensor): Tensor {
  using scope = images.gpu.scope();
  const whole = resize(images, size);
  const resized = crop ? cropOr(images, whole, crop) : whole;
  const scale = constants(images.gpu, DEVIATION.map((deviation) => 0.5 / deviation), [3]);
  const shift = constants(images.gpu, DEVIATION.map((d, i) => (0.5 - MEAN[i]) / d), [3]);
  return scope.keep(add(mul(resized, scale), shift));
}

function resize(images: Tensor, size: number): Tensor {
  const [, height, width] = images.shape;
  if (height === size && width === size) return images;
  return (height > size ? area : bicubic)(images, { height: size, width: size });
}
