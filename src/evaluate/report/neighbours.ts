import { affine, gather, matmul, square, sum } from "../../ops/mod.ts";
import type { Quantizer } from "../../quantizer/mod.ts";
import { fromArray, noGrad, type Tensor } from "../../tensor/mod.ts";

/** A code near another one. */
export interface Neighbour {
  /** Its index. */
  readonly code: number;
  /** The L2 distance between what the quantizer tells the two codes apart by. */
  readonly distance: number;
}

/** Products that are read at once. */
const AT_ONCE = 2 ** 22;

/**
 * The nearest other codes of some codes, nearest first, by the L2 distance of {@link Quantizer.keys}.
 *
 * @param codes Their indices.
 * @param count How many neighbours of each; fewer where the codebook has fewer.
 * @throws {DOMException} an AbortError, where the signal ended it before its last block.
 */
export async function neighboursOf(
  quantizer: Quantizer,
  codes: readonly number[],
  count: number,
  signal?: AbortSignal,
): Promise<Neighbour[][]> {
  using keys = noGrad(() => quantizer.keys());
  const [size, width] = keys.shape;
  const rows = await keys.readF32();
  const distance = (a: number, b: number) => {
    let squares = 0;
    for (let i = 0; i < width; i++) squares += (rows[a * width + i] - rows[b * width + i]) ** 2;
    return Math.sqrt(squares);
  };
  const found: Neighbour[][] = [];
  const block = Math.max(1, Math.floor(AT_ONCE / size));
  for (let start = 0; start < codes.length; start += block) {
    signal?.throwIfAborted();
    const part = codes.slice(start, start + block);
    const scores = await noGrad(() => scoresOf(keys, part));
    part.forEach((code, i) => {
      const nearest = largest(scores.subarray(i * size, (i + 1) * size), count, code);
      const neighbours = nearest.map((other) => ({ code: other, distance: distance(code, other) }));
      found.push(neighbours.sort((a, b) => a.distance - b.distance || a.code - b.code));
    });
  }
  return found;
}

/** `a·b − ‖b‖²/2` of codes a with all codes b: the larger, the nearer. */
function scoresOf(keys: Tensor, codes: readonly number[]): Promise<Float32Array> {
  using _scope = keys.gpu.scope();
  const rows = gather(keys, fromArray(keys.gpu, Uint32Array.from(codes), [codes.length]));
  const bias = affine(sum(square(keys), { axes: [1] }), -0.5, 0);
  return matmul(rows, keys, { transposeB: true, bias }).readF32();
}

/** Where the largest values are, but for one place. */
function largest(values: Float32Array, count: number, but: number): number[] {
  const places: number[] = [];
  for (let i = 0; i < values.length; i++) {
    const last = places[count - 1];
    if (i === but || (last !== undefined && values[last] >= values[i])) continue;
    let at = places.length;
    while (at > 0 && values[places[at - 1]] < values[i]) at--;
    places.splice(at, 0, i);
    places.length = Math.min(places.length, count);
  }
  return places;
}
