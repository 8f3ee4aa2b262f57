import type { Gpu } from "../gpu/mod.ts";
import { fromArray } from "./make.ts";
import { type Shape, sizeOf } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/**
 * Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): four random
 * 32-bit words for every counter and key, with no state in between.
 */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0);
    const low0 = Math.imul(0xd2511f53, c0);
    const high1 = multiplyHigh(0xcd9e8d57, c2);
    const low1 = Math.imul(0xcd9e8d57, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  return [c0 >>> 0, c1 >>> 0, c2 >>> 0, c3 >>> 0];
}

/** The upper 32 bits of the 64-bit product of two unsigned 32-bit numbers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff, aHigh = a >>> 16, bLow = b & 0xffff, bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const cross = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(cross / 65536)) | 0;
}

/**
 * A stream of random numbers named by a seed and a stream number. The n-th number depends on those
 * three alone: a run that gives each of its steps a stream continues as if it had never stopped.
 *
 * Numbers are made on the host: WGSL leaves the last bits of log and cos to the driver, and the same
 * seed is to give the same run on every machine.
 */
export class Random {
  #key: readonly [number, number];
  #stream: number;
  #block = 0;
  #words: readonly number[] = [];
  #used = 0;
  #spare: number | undefined;

  /** `seed` and `stream` are whole numbers; a seed may have up to 53 bits, a stream 32. */
  constructor(seed: number, stream: number = 0) {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new RangeError(`seed ${seed} is no whole number from 0 to 2^53 - 1`);
    }
    this.#key = [seed >>> 0, Math.floor(seed / 2 ** 32)];
    this.#stream = stream >>> 0;
  }

  /** The next 32 random bits, as an unsigned number. */
  bits(): number {
    if (this.#used === this.#words.length) {
      const high = Math.floor(this.#block / 2 ** 32);
      this.#words = philox([this.#block >>> 0, high, this.#stream, 0], this.#key);
      this.#block++;
      this.#used = 0;
    }
    return this.#words[this.#used++];
  }

  /** Uniform in [0, 1), with 32 random bits. */
  uniform(): number {
    return this.bits() / 2 ** 32;
  }

  /** A whole number from 0 to `limit` - 1. */
  integer(limit: number): number {
    return Math.floor(this.uniform() * limit);
  }

  /** Standard normal (Box and Muller 1958). */
  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /**
   * Standard normal, drawn again until it lies within ±`limit`.
   *
   * @throws {RangeError} where the limit is not above 0: nothing would lie within it.
   */
  truncatedNormal(limit: number): number {
    if (!(limit > 0)) throw new RangeError(`truncatedNormal: limit ${limit} is not above 0`);
    for (;;) {
      const value = this.normal();
      if (Math.abs(value) <= limit) return value;
    }
  }

  /** The numbers 0 to `count` - 1 in random order (Fisher and Yates). */
  permutation(count: number): Uint32Array {
    const order = Uint32Array.from({ length: count }, (_, i) => i);
    for (let i = count - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }
}

function generate(gpu: Gpu, shape: Shape, next: () => number): Tensor {
  return fromArray(gpu, Float32Array.from({ length: sizeOf(shape) }, next), shape);
}

/** A tensor of uniform numbers from low to high, which itself comes up by rounding to float32 alone. */
export function uniform(
  gpu: Gpu,
  shape: Shape,
  random: Random,
  { low = 0, high = 1 }: { low?: number; high?: number } = {},
): Tensor {
  return generate(gpu, shape, () => low + (high - low) * random.uniform());
}

/** A tensor of normal numbers. */
export function normal(
  gpu: Gpu,
  shape: Shape,
  random: Random,
  { mean = 0, std = 1 }: { mean?: number; std?: number } = {},
): Tensor {
  return generate(gpu, shape, () => mean + std * random.normal());
}

/**
 * A tensor of normal numbers, drawn again outside `mean ± limit·std`. PyTorch's `trunc_normal_` cuts
 * at absolute values instead, by default at ±2: with std 0.02 at a `limit` of 100.
 *
 * @throws {RangeError} where the limit is not above 0.
 */
export function truncatedNormal(
  gpu: Gpu,
  shape: Shape,
  random: Random,
  { mean = 0, std = 1, limit = 2 }: { mean?: number; std?: number; limit?: number } = {},
): Tensor {
  return generate(gpu, shape, () => mean + std * random.truncatedNormal(limit));
}
