import { philox } from "../tensor/random.ts";
import { randomRegion } from "./crop.ts";
import { ImageError } from "./errors.ts";
import { findImages } from "./find.ts";
import type { Image } from "./image.ts";
import { loadImage } from "./load.ts";
import { resizePart, shortSideSize } from "./resize.ts";

/** Keeps this room's random numbers apart from everyone else's under the same seed ("data"). */
const PURPOSE = 0x64617461;
const ORDER = 0;
const CROP = 1;

/** Choices for an {@link ImageFolder}. */
export interface ImageFolderOptions {
  /** Side of the square crops in pixels. */
  size: number;
  /** The shorter side of each image before cropping; `size · 9/8` by default, 288 for crops of 256. */
  shortSide?: number;
  /** A whole number that decides order and crops. */
  seed: number;
  /** The most pixels an image may have, as found and as resized; 64 · 2²⁰ by default. */
  maxPixels?: number;
  /** Told once of each image that cannot be used. */
  onSkip?: (file: string, error: ImageError) => void;
}

/** One training sample. */
export interface Sample {
  /** A square crop. */
  readonly image: Image;
  /** The file it is from. */
  readonly file: string;
}

function checkOptions(size: number, shortSide: number, seed: number): void {
  if (!Number.isInteger(size) || size < 1 || !Number.isInteger(shortSide) || shortSide < size) {
    throw new RangeError(
      `image folder: crops of ${size} from a short side of ${shortSide}; ` +
        `expected whole numbers, 1 ≤ size ≤ shortSide`,
    );
  }
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new RangeError(`image folder: seed ${seed}, expected a whole number from 0 to 2^53 − 1`);
  }
}

/**
 * Photographs as an endless, shuffled stream of training crops, numbered from 0. Sample n depends on
 * the files, the seed and n alone: a run resumed at any n sees what an unbroken one would have seen.
 *
 * Augmentation of the CODA recipe: short side to 9/8 of the crop (Lanczos), random crop. Each epoch
 * goes through all files in another order. In the place of a file that cannot be used comes the next
 * one of the epoch's order; it is reported once and not tried again.
 *
 * @example
 * ```ts
 * import { ImageFolder, saveImage } from "@coda/tokenizer";
 *
 * const path = await Deno.makeTempDir();
 * await saveImage(`${path}/a.png`, { width: 9, height: 9, data: new Uint8Array(243) });
 * const folder = await ImageFolder.open([path], { size: 8, seed: 1 });
 * const { image } = await folder.sample(0);
 * console.assert(image.width === 8 && image.height === 8);
 * ```
 */
export class ImageFolder {
  /** The image files, sorted. */
  readonly files: readonly string[];
  /** Side of the square crops. */
  readonly size: number;
  /** The shorter side of each image before cropping. */
  readonly shortSide: number;
  readonly #seed: readonly [number, number];
  readonly #maxPixels: number;
  readonly #onSkip: (file: string, error: ImageError) => void;
  readonly #skipped = new Set<number>();
  readonly #orders = new Map<number, Uint32Array>();

  private constructor(files: string[], options: ImageFolderOptions) {
    const { size, shortSide = Math.ceil((size * 9) / 8), seed, maxPixels, onSkip } = options;
    checkOptions(size, shortSide, seed);
    this.files = files;
    this.size = size;
    this.shortSide = shortSide;
    this.#seed = [seed >>> 0, Math.floor(seed / 2 ** 32)];
    this.#maxPixels = maxPixels ?? 64 * 2 ** 20;
    this.#onSkip = onSkip ?? (() => {});
  }

  /**
   * Finds the images among files and below folders, see {@link findImages}.
   *
   * @throws {ImageError} If a path does not exist or holds no image.
   * @throws {RangeError} If an option is out of range.
   */
  static async open(paths: readonly string[], options: ImageFolderOptions): Promise<ImageFolder> {
    return new ImageFolder(await findImages(paths), options);
  }

  /** How many files could not be used so far. */
  get skipped(): number {
    return this.#skipped.size;
  }

  /** The order in which an epoch goes through {@link ImageFolder.files}: a shuffle by seed and epoch. */
  order(epoch: number): Uint32Array {
    const known = this.#orders.get(epoch);
    if (known !== undefined) return known;
    const order = Uint32Array.from(this.files, (_, i) => i);
    for (let i = order.length - 1; i > 0; i--) {
      const [word] = philox([i, epoch, ORDER, PURPOSE], this.#seed);
      const j = Math.floor((word / 2 ** 32) * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    // Samples under way belong to two epochs at most.
    if (this.#orders.size >= 2) this.#orders.delete(Math.min(...this.#orders.keys()));
    this.#orders.set(epoch, order);
    return order;
  }

  /**
   * Sample `n` of the stream.
   *
   * @throws {ImageError} If none of the files can be used.
   */
  async sample(n: number): Promise<Sample> {
    const count = this.files.length;
    const order = this.order(Math.floor(n / count));
    for (let k = 0; k < count; k++) {
      const index = order[(n + k) % count];
      const image = this.#skipped.has(index) ? undefined : await this.#load(index);
      if (image !== undefined) return { image: this.#cut(image, n), file: this.files[index] };
    }
    throw new ImageError(
      this.files[0],
      `and all other images given (${count} in all) cannot be used; give other images`,
    );
  }

  /** The image, or undefined where it cannot be used. */
  async #load(index: number): Promise<Image | undefined> {
    const file = this.files[index];
    try {
      const image = await loadImage(file, { maxPixels: this.#maxPixels });
      const { width, height } = shortSideSize(image, this.shortSide);
      if (width * height <= this.#maxPixels) return image;
      throw new ImageError(
        file,
        `is ${image.width}×${image.height}, too narrow: its short side at ${this.shortSide} makes it ` +
          `larger than ${this.#maxPixels} pixels; crop it`,
      );
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      if (!this.#skipped.has(index)) {
        this.#skipped.add(index);
        this.#onSkip(file, error);
      }
      return undefined;
    }
  }

  /** The sample's part of the resized image. */
  #cut(image: Image, n: number): Image {
    const words = philox([n >>> 0, Math.floor(n / 2 ** 32), CROP, PURPOSE], this.#seed);
    let next = 0;
    const { width, height } = shortSideSize(image, this.shortSide);
    const random = () => words[next++] / 2 ** 32;
    const part = randomRegion({ width, height }, this.size, this.size, random);
    return resizePart(image, width, height, part);
  }
}
