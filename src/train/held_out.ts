import {
  centerCrop,
  findImages,
  type Image,
  ImageError,
  loadImage,
  resizeShortSide,
} from "../data/mod.ts";

/** A square of an image as its protocol has it, `center-256` for 256: short side by Lanczos, centre. */
export async function loadCentered(file: string, size: number): Promise<Image> {
  const image = await loadImage(file);
  return centerCrop(resizeShortSide(image, size), size, size);
}

/** Squares of images that a run looks at again and again. */
export class HeldOut {
  /** Their files: `count` at most, evenly spread over what was given. */
  readonly files: readonly string[];
  /** Their side. */
  readonly size: number;
  #onSkip: (file: string, error: ImageError) => void;
  #skipped = new Set<string>();

  /** `onSkip` hears once of each that cannot be used. */
  constructor(
    files: readonly string[],
    { size, count, onSkip = () => {} }: {
      size: number;
      count: number;
      onSkip?: (file: string, error: ImageError) => void;
    },
  ) {
    const most = Math.min(count, files.length);
    this.files = Array.from(
      { length: most },
      (_, i) => files[Math.floor((i * files.length) / most)],
    );
    this.size = size;
    this.#onSkip = onSkip;
  }

  /** Finds images below a folder. @throws {ImageError} where there is none, or none can be used. */
  static async find(
    path: string,
    options: ConstructorParameters<typeof HeldOut>[1],
  ): Promise<HeldOut> {
    const heldOut = new HeldOut(await findImages([path]), options);
    for await (const _ of heldOut.batches(1)) return heldOut;
    throw heldOut.unusable();
  }

  /** The error where none of them can be used. */
  unusable(): ImageError {
    return new ImageError(this.files[0], "and all other held-out images cannot be used");
  }

  /**
   * The squares in batches of so many, in order, without those that cannot be used; no more of them once
   * the signal is given.
   */
  async *batches(batch: number, signal?: AbortSignal): AsyncGenerator<Image[]> {
    let images: Image[] = [];
    for (const file of this.files) {
      if (signal?.aborted) return;
      const image = await this.#load(file);
      if (image) images.push(image);
      if (images.length < batch) continue;
      yield images;
      images = [];
    }
    if (images.length > 0) yield images;
  }

  async #load(file: string): Promise<Image | undefined> {
    if (this.#skipped.has(file)) return undefined;
    try {
      return await loadCentered(file, this.size);
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      this.#skipped.add(file);
      this.#onSkip(file, error);
      return undefined;
    }
  }
}
