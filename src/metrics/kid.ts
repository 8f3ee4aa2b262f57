import { commonLength, type Features } from "./features.ts";

/**
 * The kernel distance of two sets of images' features (Bińkowski et al. 2018; SPEC section 7): the
 * unbiased estimate of the squared maximum mean discrepancy with the kernel `(x·y/d + 1)³`, of sets that
 * are drawn independently. It can be negative where the sets are alike, and is the one to trust under some
 * 2,000 images. Of images and their own reconstructions it comes out too low, the more so the fewer they
 * are: {@link pairedKernelDistance} is for those.
 *
 * @param found Features of one set, a row an image.
 * @param expected Features of the other.
 * @throws {RangeError} where a set has fewer than two images.
 * @throws {TypeError} where rows differ in length.
 *
 * @example
 * ```ts
 * import { kernelDistance } from "@coda/tokenizer";
 *
 * const rows = (...values: number[]) => values.map((value) => Float32Array.of(value));
 * console.assert(kernelDistance(rows(0, 0), rows(1, 1)) === 1 + 8 - 2);
 * ```
 */
export function kernelDistance(found: Features, expected: Features): number {
  commonLength("kernelDistance", [found, expected]);
  return meanOfPairs(found) + meanOfPairs(expected) - 2 * meanBetween(found, expected);
}

/**
 * The kernel distance of images and their own reconstructions: as {@link kernelDistance}, but no image is
 * compared with its own reconstruction, which is more like it than one drawn independently would be
 * (Gretton et al. 2012, lemma 6: the statistic of paired samples). So it is unbiased for them, and higher
 * than what tools that take the sets for independent make of a small one.
 *
 * @param found Features of the reconstructions, a row an image.
 * @param expected Those of the images, in the same order.
 * @throws {RangeError} where there are fewer than two images, or not as many of either.
 * @throws {TypeError} where rows differ in length.
 *
 * @example
 * ```ts
 * import { pairedKernelDistance } from "@coda/tokenizer";
 *
 * const images = [Float32Array.of(0, 0), Float32Array.of(1, 1)];
 * console.assert(pairedKernelDistance(images, images) === 0);
 * ```
 */
export function pairedKernelDistance(found: Features, expected: Features): number {
  commonLength("pairedKernelDistance", [found, expected]);
  const { length } = found;
  if (expected.length !== length) {
    throw new RangeError(`pairedKernelDistance: ${length} images and ${expected.length}`);
  }
  let pairs = 0;
  found.forEach((x, i) => pairs += kernel(x, expected[i]));
  const between = (length * meanBetween(found, expected) - pairs / length) / (length - 1);
  return meanOfPairs(found) + meanOfPairs(expected) - 2 * between;
}

/** Images that are compared with one another at a time. */
const BLOCK = 1024;

/**
 * The kernel distance of images and their reconstructions that come one by one:
 * {@link pairedKernelDistance} of up to 1,024 images, of more the mean over blocks of so many, which is
 * unbiased too.
 *
 * @example
 * ```ts
 * import { KernelBlocks } from "@coda/tokenizer";
 *
 * const blocks = new KernelBlocks();
 * for (let i = 0; i < 2; i++) blocks.add(Float32Array.of(0), Float32Array.of(1));
 * console.assert(blocks.distance() === 1 + 8 - 2);
 * ```
 */
export class KernelBlocks {
  #found: Float32Array[] = [];
  #expected: Float32Array[] = [];
  #sum = 0;
  #count = 0;

  /** Adds the features of a reconstruction and of its image. */
  add(found: Float32Array, expected: Float32Array): void {
    this.#found.push(found);
    this.#expected.push(expected);
    if (this.#found.length < BLOCK) return;
    this.#sum += BLOCK * pairedKernelDistance(this.#found, this.#expected);
    this.#count += BLOCK;
    [this.#found, this.#expected] = [[], []];
  }

  /** The distance so far. @throws {RangeError} where there are fewer than two images. */
  distance(): number {
    const rest = this.#found.length;
    if (rest < 2 && this.#count > 0) return this.#sum / this.#count; // one has no pairs
    const last = pairedKernelDistance(this.#found, this.#expected);
    return (this.#sum + rest * last) / (this.#count + rest);
  }
}

/** The kernel's mean over pairs of different rows. */
function meanOfPairs(rows: Features): number {
  let sum = 0;
  for (let i = 0; i < rows.length; i++) {
    for (let j = 0; j < i; j++) sum += kernel(rows[i], rows[j]);
  }
  return sum / (rows.length * (rows.length - 1) / 2);
}

function meanBetween(a: Features, b: Features): number {
  let sum = 0;
  for (const x of a) for (const y of b) sum += kernel(x, y);
  return sum / (a.length * b.length);
}

function kernel(x: Float32Array, y: Float32Array): number {
  let product = 0;
  for (let i = 0; i < x.length; i++) product += x[i] * y[i];
  return (product / x.length + 1) ** 3;
}
