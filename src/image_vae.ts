import { crop, floatToImage, type Image, ImageSizeError, imageToFloat, padTo } from "./data/mod.ts";
import { OutOfMemoryError } from "./gpu/mod.ts";
import type { Grid } from "./quantizer/mod.ts";
import { fromArray } from "./tensor/mod.ts";
import type { Size } from "./tokens/mod.ts";
import { type OfMoments, type ToLatent, VaeInMemory, type Values } from "./vae/in_memory.ts";
import type { AutoencoderKL, MemoryPlan } from "./vae/mod.ts";

/** The most pixels along a side: kernels multiply positions by lengths in 32 bits. */
const MAX_SIDE = 2 ** 15 - 1;

/**
 * An autoencoder for images of any size, within the memory of its device: sides that are no multiples of
 * its reduction are filled up by repeating the edge, and cut off again.
 */
export class ImageVae implements Disposable {
  /** The autoencoder; whoever made it disposes it. */
  readonly vae: AutoencoderKL;
  #inMemory: VaeInMemory;

  /** For an autoencoder. */
  constructor(vae: AutoencoderKL) {
    this.vae = vae;
    this.#inMemory = new VaeInMemory(vae);
  }

  /** Frees recordings; the autoencoder stays. */
  [Symbol.dispose](): void {
    this.#inMemory[Symbol.dispose]();
  }

  /** How `count` images of a size are encoded. @throws {RangeError} where no plan fits. */
  planEncode(size: Size, count: number, then: OfMoments): MemoryPlan {
    return planned(size, () => this.#inMemory.planEncode(this.paddedSize(size), count, then));
  }

  /** How a latent is decoded to an image of a size. @throws {RangeError} where no plan fits. */
  planDecode(size: Size, latent: ToLatent): MemoryPlan {
    return planned(size, () => this.#inMemory.planDecode(this.paddedSize(size), latent));
  }

  /**
   * The values of what `then` makes of the moments of images of one size.
   *
   * @throws {RangeError} for mixed sizes, or one that cannot be encoded.
   */
  async encode(images: readonly Image[], then: OfMoments): Promise<Values[]> {
    const size = this.batchSize(images);
    const padded = this.paddedSize(size);
    try {
      const values = () => valuesOf(images, padded);
      return await this.#inMemory.encode(values, padded, images.length, then);
    } catch (error) {
      throw tooLarge(size, error);
    }
  }

  /** The image of a size whose latent, that of the size filled up, is made. */
  async decode({ width, height }: Size, latent: ToLatent): Promise<Image> {
    const padded = this.paddedSize({ width, height });
    try {
      const values = await this.#inMemory.decode(padded, latent);
      return crop(floatToImage(values, padded.width, padded.height), 0, 0, height, width);
    } catch (error) {
      throw tooLarge({ width, height }, error);
    }
  }

  /**
   * The image through the autoencoder, from its mean latent.
   *
   * @throws {RangeError} where the image is smaller than one latent position, or too large.
   */
  async reconstruct(image: Image): Promise<Image> {
    const [mean] = await this.encode([image], {
      name: "mean",
      make: (moments) => [this.vae.posterior(moments).mean],
    });
    const { gpu } = this.vae.parameters;
    const { height, width } = this.latentSize(this.paddedSize(image));
    const shape = [1, height, width, this.vae.config.latentChannels];
    return await this.decode(image, {
      name: "latent",
      inputs: () => [fromArray(gpu, mean, shape)],
      make: ([latent]) => latent,
    });
  }

  /** The size of images that belong together. @throws {RangeError} where they have several, or none. */
  batchSize(images: readonly Image[]): Size {
    if (images.length === 0) throw new RangeError("encode: there is no image");
    const [{ width, height }] = images;
    const other = images.find((image) => image.width !== width || image.height !== height);
    if (other) {
      throw new RangeError(
        `encode: a batch holds ${width}×${height} and ${other.width}×${other.height}: ` +
          "images of one batch have one size",
      );
    }
    this.checkSize({ width, height });
    images.forEach(checkData);
    return { width, height };
  }

  /** Refuses a size that cannot be encoded. @throws {ImageSizeError} */
  checkSize({ width, height }: Size): void {
    const f = this.vae.reduction;
    if (width < f || height < f) {
      throw new ImageSizeError(
        `an image of ${width}×${height} is smaller than one token, ${f}×${f} pixels: enlarge it`,
      );
    }
    const padded = this.paddedSize({ width, height });
    if (Math.max(padded.width, padded.height) > MAX_SIDE) {
      throw new ImageSizeError(
        `an image of ${width}×${height} is too large: a side may have ${MAX_SIDE} pixels: shrink it`,
      );
    }
  }

  /** A size filled up to multiples of the reduction. */
  paddedSize({ width, height }: Size): Size {
    const up = (side: number) => Math.ceil(side / this.vae.reduction) * this.vae.reduction;
    return { width: up(width), height: up(height) };
  }

  /** The size of the latent of a size that is filled up. */
  latentSize({ width, height }: Size): Grid {
    return { width: width / this.vae.reduction, height: height / this.vae.reduction };
  }
}

function planned(size: Size, plan: () => MemoryPlan): MemoryPlan {
  try {
    const { path, bytes } = plan();
    return { path, bytes };
  } catch (error) {
    throw tooLarge(size, error);
  }
}

/** Images of one size, filled up, as the network's input. */
function valuesOf(images: readonly Image[], padded: Size): Float32Array {
  const size = padded.width * padded.height * 3;
  const values = new Float32Array(images.length * size);
  images.forEach((image, n) =>
    imageToFloat(padTo(image, padded), values.subarray(n * size, (n + 1) * size))
  );
  return values;
}

/** Refuses an image whose bytes are not those of its size. */
function checkData({ width, height, data }: Image): void {
  const isWhole = Number.isInteger(width) && Number.isInteger(height);
  if (isWhole && data.length === width * height * 3) return;
  throw new RangeError(
    `encode: an image of ${width}×${height} has ${data.length} bytes, ` +
      "expected whole numbers and three bytes a pixel",
  );
}

/** An error that says, where memory was too small, for which image. */
function tooLarge({ width, height }: Size, error: unknown): unknown {
  if (!(error instanceof OutOfMemoryError)) return error;
  const text = `an image of ${width}×${height} is too large for this adapter: ${error.message}`;
  return new ImageSizeError(`${text}: shrink it`, { cause: error });
}
