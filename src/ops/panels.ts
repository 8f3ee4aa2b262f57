import { defineKernel, type Gpu, gridFor, type Storage } from "../gpu/mod.ts";
import { empty } from "../tensor/mod.ts";
import { align, type Matrices } from "./fit.ts";
import { groupSize } from "./tile.ts";
import type { AlignedProduct } from "./tile_product.ts";

const kernel = defineKernel("panels");
const packing = defineKernel("pack");

/** Rows and columns of a tile, and the width of a panel. */
export const EDGE = 16;

/** Invocations in a workgroup: one SIMD vector. */
const GROUP = 8;

/** Bytes of `a` that are packed at once: they stay in a CPU's cache. */
const WORKSPACE = 2 ** 22;

/** What is packed is read by as many rows or columns of the other side: less does not pay. */
const READERS = 48;

/** Multiplications that pay for the dispatches that pack. */
const WORTHWHILE = 2 ** 20;

/** Whether a product can be computed by {@link multiplyPanels}, and is large enough for it. */
export function suitsPanels(
  { batch, m, n, k, transposeA, transposeB }: AlignedProduct,
): boolean {
  return Math.min(m, align(n)) >= EDGE && batch * m * n * k >= WORTHWHILE &&
    (transposeA || n >= READERS) && (!transposeB || m >= READERS);
}

/** A product; where it `adds`, whose a is then stored as [k, m], its chains continue what y holds. */
export type PanelProduct = AlignedProduct & { adds?: boolean };

/** Computes products in tiles of 16 by 16; m and align(n) are 16 at least. */
export function multiplyPanels(gpu: Gpu, work: PanelProduct): void {
  using _scope = gpu.scope();
  const { a, batch, m, n, k, transposeA, shareA, shareB } = work;
  const b = work.transposeB
    ? packed(gpu, { storage: work.b, count: shareB ? 1 : batch, rows: n, columns: align(k) })
    : { storage: work.b, steps: 0, distance: k * align(n) / 4 };
  if (transposeA) {
    const rows = { storage: a, steps: 0, distance: k * align(m) / 4 };
    return dispatch(gpu, work, rows, b, { matrix: 0, count: batch, first: 0, taken: m });
  }
  for (const piece of piecesOf(work)) {
    using _scope = gpu.scope();
    const { matrix, count, first, taken } = piece;
    const source = { storage: a, count: shareA ? 1 : count, rows: m, columns: align(k) };
    const from = { first: (shareA ? 0 : matrix * m) + first, taken };
    dispatch(gpu, work, packed(gpu, source, from), b, piece);
  }
}

/** Some matrices of a batch, or some rows of one. */
interface Piece {
  matrix: number;
  count: number;
  first: number;
  taken: number;
}

/** Cuts a product so that what is packed of each piece fits the workspace. */
function* piecesOf({ batch, m, k }: AlignedProduct): Generator<Piece> {
  const most = Math.max(Math.floor(WORKSPACE / (4 * align(k) * EDGE)), 1) * EDGE; // rows
  const count = Math.max(Math.floor(most / m), 1);
  for (let matrix = 0; matrix < batch; matrix += count) {
    for (let first = 0; first < m; first += most) {
      // The last rows are a tile at least: some of the piece before are computed again.
      const start = Math.max(Math.min(first, m - EDGE), 0);
      const taken = Math.min(most, m - start);
      yield { matrix, count: Math.min(count, batch - matrix), first: start, taken };
    }
  }
}

/** A side of a product: packed, or rows of k steps. */
interface Side {
  storage: Storage;
  /** The steps of a panel; 0 where there are none. */
  steps: number;
  /** In vec4, from one matrix to the next. */
  distance: number;
}

/** Rows of matrices, all by default, in panels; the columns are a multiple of 4. */
function packed(
  gpu: Gpu,
  { storage, count, rows, columns }: Matrices,
  { first, taken } = { first: 0, taken: rows },
): Side {
  const panels = Math.ceil(taken / EDGE);
  const y = empty(gpu, [count, panels, columns, EDGE]);
  const GROUP = groupSize(gpu);
  gpu.run(packing, "pack", {
    bind: { x: storage, y: y.storage },
    params: { count, rows, columns, first, taken },
    constants: { GROUP },
    grid: gridFor(count * panels * Math.ceil(columns / EDGE) * 16, GROUP),
  });
  return { storage: y.storage, steps: columns, distance: panels * columns * EDGE / 4 };
}

function dispatch(
  gpu: Gpu,
  { m, n, k, splits, chunk, bias, y, shareA, shareB, adds = false }: PanelProduct,
  a: Side,
  b: Side,
  { matrix, count, first, taken }: Piece,
): void {
  const width = align(n);
  const bBatch = shareB ? 0 : b.distance;
  gpu.run(kernel, "multiply", {
    bind: { a: a.storage, b: b.storage, bias, y },
    params: {
      m: taken,
      n: width,
      k,
      aSteps: a.steps,
      bSteps: b.steps,
      aBatch: shareA ? 0 : a.distance,
      bBatch,
      bFirst: matrix * bBatch,
      batch: count,
      splits,
      chunk,
      first: matrix * m + first,
      hasBias: Number(bias !== undefined),
    },
    constants: { ADDS: Number(adds), GROUP },
    grid: gridFor(splits * count * Math.ceil(taken / EDGE) * Math.ceil(width / EDGE), GROUP),
  });
}
