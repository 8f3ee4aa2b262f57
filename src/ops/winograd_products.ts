import { defineKernel, type Gpu, gridFor, type Storage } from "../gpu/mod.ts";
import { empty, type Tensor } from "../tensor/mod.ts";
import { align } from "./fit.ts";
import { EDGE, multiplyPanels } from "./panels.ts";
import { type Extents, product } from "./product.ts";
import { sumRows } from "./sum_rows.ts";
import { kindOf, tileFor } from "./tile.ts";
import { wideProduct } from "./wide_product.ts";

const accumulate = defineKernel("accumulate");

/** The products a b of Winograd's frequencies, [batch, m, n]; n and k are multiples of 4. */
export function multiply(gpu: Gpu, a: Storage, b: Storage, extents: Extents): Tensor {
  const tile = tileFor(gpu, "winograd");
  if (tile === "wide32") return wideProduct(gpu, a, b, extents);
  const { batch, m, n } = extents;
  const [left, right] = [a, b].map((storage) => ({ storage, transposed: false, shared: false }));
  return product(gpu, left, right, { ...extents, output: [batch, m, n], tile });
}

/** Tiles of a product that keep a CPU's cores busy, and the least steps of k that one should have. */
const BUSY = 512;
const SHORTEST = 64;

/**
 * A place to sum products aᵀ b in, where a long k comes piece by piece, none longer than `k`:
 * [parts, batch, m, n]. On a CPU the pieces are cut into parts, so that there is work for all cores; how
 * many depends on the extents alone.
 */
export function sumsOf(gpu: Gpu, extents: Extents): Tensor {
  const { batch, m, n, k } = extents;
  if (!isChained(gpu, m, n)) return empty(gpu, [1, batch, m, n]);
  const tiles = batch * Math.ceil(m / EDGE) * Math.ceil(n / EDGE);
  const wanted = Math.min(Math.ceil(BUSY / tiles), Math.floor(k / SHORTEST));
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

/** Adds the products of a piece to the sums. */
export function addProducts(gpu: Gpu, { a, b, k, isFirst }: Piece, sums: Tensor): void {
  const [splits, batch, m, n] = sums.shape;
  if (isChained(gpu, m, n)) {
    const chunk = align(Math.ceil(k / splits));
    const forms = { transposeA: true, transposeB: false, shareA: false, shareB: false };
    const work = { a, b, bias: undefined, y: sums.storage, batch, m, n, k, splits, chunk };
    return multiplyPanels(gpu, { ...work, ...forms, adds: !isFirst });
  }
  using _scope = gpu.scope();
  const left = { storage: a, transposed: true, shared: false };
  const right = { storage: b, transposed: false, shared: false };
  const x = product(gpu, left, right, { batch, m, n, k, output: [batch, m, n] });
  if (isFirst) return gpu.copy(x.storage, sums.storage);
  gpu.run(accumulate, "add", {
    bind: { x: x.storage, y: sums.storage },
    params: { size: x.size },
    grid: gridFor(Math.ceil(x.size / 4), 64),
  });
}

/** Whether the sums of a piece continue those of the one before: where a CPU has whole tiles. */
function isChained(gpu: Gpu, m: number, n: number): boolean {
  return kindOf(gpu) === "cpu" && Math.min(m, n) >= EDGE;
}

/** What was summed: batch matrices of m by n. */
export function totalOf(sums: Tensor): Storage {
  const { gpu, storage, size, shape: [parts, ...shape] } = sums;
  return parts === 1 ? storage : sumRows(gpu, storage, parts, size / parts, shape).storage;
}
