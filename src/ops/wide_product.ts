import { defineKernel, type Gpu, gridFor, type Storage } from "../gpu/mod.ts";
import { empty, type Tensor } from "../tensor/mod.ts";
import { align } from "./fit.ts";
import type { Extents } from "./product.ts";

const kernel = defineKernel("wide_product");

/** What an invocation computes. */
const ROWS = 16;
const COLUMNS = 32;

/** Invocations in a workgroup: one SIMD vector. */
const GROUP = 8;

/** Invocations that keep a CPU's cores busy, and the least steps of k that one should have. */
const BUSY = 256;
const SHORTEST = 64;

/**
 * The batched product a b as [batch, m, n], for adapters on a CPU: the tiles are large, since loads are
 * slow there. n and k are multiples of 4.
 */
export function wideProduct(gpu: Gpu, a: Storage, b: Storage, extents: Extents): Tensor {
  const { batch, m, n, k } = extents;
  const y = empty(gpu, [batch, m, n]);
  const params = { ...extents, splits: 1, chunk: k, adds: 0 };
  gpu.run(kernel, "multiply", {
    bind: { a, b, y: y.storage },
    params,
    constants: { TRANSPOSE_A: 0, GROUP },
    grid: gridFor(tilesOf(extents), GROUP),
  });
  return y;
}

/**
 * A place to sum products aᵀ b in, where a long k comes piece by piece, none longer than `k`:
 * [parts, batch, m, n]. The pieces are cut into parts, so that there is work for all cores; how many
 * depends on the extents alone.
 */
export function wideSums(gpu: Gpu, extents: Extents): Tensor {
  const { batch, m, n, k } = extents;
  const wanted = Math.min(Math.ceil(BUSY / tilesOf(extents)), Math.floor(k / SHORTEST));
  return empty(gpu, [Math.max(wanted, 1), batch, m, n]);
}

/** A piece of the operands of a sum of products: a is [batch, k, m] and b [batch, k, n], in multiples of 4. */
export interface Piece {
  a: Storage;
  b: Storage;
  k: number;
  /** Whether it begins the sum. */
  isFirst: boolean;
}

/** Adds the product of a piece to the parts of a sum. */
export function addWideProduct(gpu: Gpu, { a, b, k, isFirst }: Piece, sums: Tensor): void {
  const [splits, batch, m, n] = sums.shape;
  const extents = { batch, m, n, k };
  const chunk = align(Math.ceil(k / splits));
  gpu.run(kernel, "multiply", {
    bind: { a, b, y: sums.storage },
    params: { ...extents, splits, chunk, adds: Number(!isFirst) },
    constants: { TRANSPOSE_A: 1, GROUP },
    grid: gridFor(splits * tilesOf(extents), GROUP),
  });
}

function tilesOf({ batch, m, n }: Extents): number {
  return batch * Math.ceil(m / ROWS) * Math.ceil(n / COLUMNS);
}
