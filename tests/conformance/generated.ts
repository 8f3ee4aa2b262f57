import type { Gpu } from "../../src/gpu/mod.ts";
import type { WeightSource } from "../../src/nn/mod.ts";
import { ShapeError } from "../../src/tensor/mod.ts";
import { AutoencoderKL, inferVaeConfig } from "../../src/vae/mod.ts";

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

/** A list of generated weights as a source that models load from. */
export function generatedSource(list: readonly GeneratedWeight[]): WeightSource {
  const described = new Map(list.map((weight) => [weight.name, weight]));
  const file = "generated weights";
  return {
    file,
    has: (name) => described.has(name),
    floats: (name, shape) => {
      const weight = described.get(name);
      if (!weight) throw new TypeError(`${file}: there is no ${name}`);
      if (weight.shape.join() !== shape.join()) {
        throw new ShapeError(file, `${name} is [${weight.shape}], expected [${shape}]`);
      }
      return Promise.resolve(generate(weight));
    },
  };
}

/** An autoencoder of generated weights; its shape is read from theirs. */
export async function generatedVae(
  gpu: Gpu,
  weights: readonly GeneratedWeight[],
): Promise<AutoencoderKL> {
  const shapes = new Map(weights.map(({ name, shape }) => [name, shape]));
  const config = inferVaeConfig({
    file: "generated weights",
    names: [...shapes.keys()],
    has: (name) => shapes.has(name),
    info: (name) => ({ shape: shapes.get(name)! }),
  });
  return await AutoencoderKL.load(gpu, config, generatedSource(weights));
}

/** The SHA-256 of a list's values in list order, as the goldens give it in `<list>_sha256`. */
export async function digestOf(list: readonly GeneratedWeight[]): Promise<string> {
  const bytes = await new Blob(list.map(generate)).arrayBuffer();
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
