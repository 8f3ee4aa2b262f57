import { filled, type NDArray } from "./reference/ndarray.ts";

/**
 * A small seeded generator for test inputs (mulberry32). Every value it gives is a float32 number, so
 * the GPU and the float64 reference start from exactly the same inputs.
 */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 4294967296;
  }

  /** Independent values between `low` and `high`. */
  uniform(shape: readonly number[], low = -1, high = 1): NDArray {
    return this.#fill(shape, () => low + (high - low) * this.next());
  }

  /** Independent normal values (Box and Muller 1958). */
  normal(shape: readonly number[], mean = 0, std = 1): NDArray {
    return this.#fill(shape, () => {
      const radius = Math.sqrt(-2 * Math.log(1 - this.next()));
      return mean + std * radius * Math.cos(2 * Math.PI * this.next());
    });
  }

  /** Independent whole numbers from 0 up to, not including, `count`. */
  integers(shape: readonly number[], count: number): NDArray {
    return this.#fill(shape, () => Math.floor(this.next() * count));
  }

  /** The numbers 0 … size−1, each once, in random order, times `step`: an input without ties. */
  distinct(shape: readonly number[], step = 1): NDArray {
    const x = filled(shape, 0);
    x.data.forEach((_, i) => {
      const other = Math.floor(this.next() * (i + 1));
      x.data[i] = x.data[other];
      x.data[other] = i;
    });
    x.data.forEach((value, i) => x.data[i] = Math.fround(value * step));
    return x;
  }

  #fill(shape: readonly number[], value: () => number): NDArray {
    const x = filled(shape, 0);
    for (let i = 0; i < x.data.length; i++) x.data[i] = Math.fround(value());
    return x;
  }
}
