import { ShapeError } from "../../src/tensor/mod.ts";
import type { WeightSource } from "../../src/nn/mod.ts";

/** A weight that the goldens do not store but describe: one entry of a list such as `lora_weights`. */
export interface GeneratedWeight {
  name: string;
  shape: number[];
  seed: number;
  center: number;
  bound: number;
}

/** The values of a generated weight, row-major, by the rule of the goldens' README. */
export function generate(
  { shape, seed, center, bound }: Omit<GeneratedWeight, "name">,
): Float32Array<ArrayBuffer> {
  const values = new Float32Array(shape.reduce((size, length) => size * length, 1));
  for (let i = 0; i < values.length; i++) {
    values[i] = center + (2 * (hash(i, seed) * 2 ** -32) - 1) * bound;
  }
  return values;
}

/** The unsigned 32 bits behind element `i`. */
export function hash(i: number, seed: number): number {
  let x = Math.imul(i, 0x9e3779b1) + seed;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** A list of generated weights, and any stored ones, as a source that models load from. */
export function generatedSource(
  list: readonly GeneratedWeight[],
  stored: ReadonlyMap<string, Float32Array> = new Map(),
): WeightSource {
  const described = new Map(list.map((weight) => [weight.name, weight]));
  const file = "generated weights";
  return {
    file,
    has: (name) => described.has(name) || stored.has(name),
    floats: (name, shape) => {
      const weight = described.get(name);
      if (weight && weight.shape.join() !== shape.join()) {
        throw new ShapeError(file, `${name} is [${weight.shape}], expected [${shape}]`);
      }
      const values = weight ? generate(weight) : stored.get(name);
      if (!values) throw new TypeError(`${file}: there is no ${name}`);
      return Promise.resolve(values);
    },
  };
}

/** The SHA-256 of a list's values in list order, as the goldens give it in `<list>_sha256`. */
export async function digestOf(list: readonly GeneratedWeight[]): Promise<string> {
  const bytes = await new Blob(list.map(generate)).arrayBuffer();
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
