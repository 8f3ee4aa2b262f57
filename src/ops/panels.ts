import { defineKernel, type Gpu, gridFor, type Storage } from "../gpu/mod.ts";
import { align } from "./fit.ts";
import type { AlignedProduct } from "./tile_product.ts";
import { transposed } from "./transposed.ts";

const kernel = defineKernel("panels");

/** Rows and columns of a tile. */
const EDGE = 16;

/** Invocations in a workgroup: one SIMD vector. */
const GROUP = 8;

/** Bytes of `a` that are turned into panels at once: they stay in a CPU's cache. */
const WORKSPACE = 2 ** 22;

/** A side that is turned into panels is read by as many rows or columns of the other: less does not pay. */
const READERS = 32;

/** Multiplications that pay for the dispatches that turn. */
const WORTHWHILE = 2 ** 20;

/** Whether a product can be computed by {@link multiplyPanels}, and is large enough for it. */
export function suitsPanels(
  { batch, m, n, k, transposeA, transposeB }: AlignedProduct,
): boolean {
  return m % 4 === 0 && Math.min(m, align(n)) >= EDGE && batch * m * n * k >= WORTHWHILE &&
    (transposeA || n >= READERS) && (!transposeB || m >= READERS);
}

/** y = op(a) op(b) + bias in tiles of 16 by 16, whose operands are turned into panels where they are none. */
export function multiplyPanels(gpu: Gpu, work: AlignedProduct): void {
  using _scope = gpu.scope();
  const { a, batch, m, n, k, transposeA, transposeB, shareA, shareB } = work;
  const right = transposeB
    ? transposed(gpu, { storage: work.b, count: shareB ? 1 : batch, rows: n, columns: align(k) })
    : work.b;
  // Panels of what was turned have rows for all of align(k).
  const steps = transposeB ? align(k) : k;
  const b = { storage: right, distance: shareB ? 0 : steps * align(n) / 4 };
  if (transposeA) {
    const left = { storage: a, distance: shareA ? 0 : k * m / 4 };
    return dispatch(gpu, work, left, b, { matrix: 0, count: batch, first: 0, taken: m });
  }
  for (const piece of piecesOf(work)) {
    using _scope = gpu.scope();
    const { matrix, count, first, taken } = piece;
    const source = { storage: a, count: shareA ? 1 : count, rows: m, columns: align(k) };
    const left = transposed(gpu, source, { first: (shareA ? 0 : matrix * m) + first, taken });
    const distance = shareA ? 0 : align(k) * taken / 4;
    dispatch(gpu, work, { storage: left, distance }, b, piece);
  }
}

/** Some matrices of a batch, or some rows of one. */
interface Piece {
  matrix: number;
  count: number;
  first: number;
  taken: number;
}

function* piecesOf({ batch, m, k }: AlignedProduct): Generator<Piece> {
  const most = Math.max(Math.floor(WORKSPACE / (4 * align(k))), EDGE); // rows
  if (batch > 1 && most >= m) {
    const step = Math.floor(most / m);
    for (let matrix = 0; matrix < batch; matrix += step) {
      yield { matrix, count: Math.min(step, batch - matrix), first: 0, taken: m };
    }
    return;
  }
  const parts = Math.ceil(m / most);
  const length = Math.max(Math.ceil(m / parts / EDGE) * EDGE, EDGE);
  for (let matrix = 0; matrix < batch; matrix++) {
    for (let first = 0; first < m; first += length) {
      // The last piece is a tile at least: it repeats rows of the one before.
      const start = Math.min(first, Math.max(m - EDGE, 0));
      yield { matrix, count: 1, first: start, taken: Math.min(length, m - start) };
    }
  }
}

/** A side in panels, and the distance in vec4 from one matrix to the next. */
interface Side {
  storage: Storage;
  distance: number;
}

function dispatch(
  gpu: Gpu,
  { m, n, k, splits, chunk, bias, y }: AlignedProduct,
  a: Side,
  b: Side,
  { matrix, count, first, taken }: Piece,
): void {
  const width = align(n);
  gpu.run(kernel, "multiply", {
    bind: { a: a.storage, b: b.storage, bias: bias ?? b.storage, y },
    params: {
      m: taken,
      n: width,
      k,
      aBatch: a.distance,
      bBatch: b.distance,
      bFirst: matrix * b.distance,
      batch: count,
      splits,
      chunk,
      first: matrix * m + first,
      hasBias: Number(bias !== undefined),
    },
    constants: { GROUP },
    grid: gridFor(splits * count * Math.ceil(taken / EDGE) * Math.ceil(width / EDGE), GROUP),
  });
}
