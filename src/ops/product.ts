import type { Gpu, Storage } from "../gpu/mod.ts";
import { empty, type FloatType, type Shape, type Tensor } from "../tensor/mod.ts";
import { align, cropped, fit, type Matrices } from "./fit.ts";
import { multiplyPanels, suitsPanels } from "./panels.ts";
import { sumRows } from "./sum_rows.ts";
import { kindOf, type Tile, tileFor } from "./tile.ts";
import { type AlignedProduct, multiplyTiles } from "./tile_product.ts";

/** One side of a {@link product}. */
export interface Operand {
  storage: Storage;
  /** Stored the other way round: a as [K, M], b as [N, K]. */
  transposed: boolean;
  /** One matrix for the whole batch. */
  shared: boolean;
}

/** The extents of a {@link product}: [batch, m, k] times [batch, k, n]. */
export interface Extents {
  batch: number;
  m: number;
  n: number;
  k: number;
}

/** What a {@link product} makes. */
export interface ProductOptions extends Extents {
  /** The result's shape, of batch · m · n elements. */
  output: Shape;
  /** Added to every row: [n]. */
  bias?: Tensor;
  /** The tile to use; by default the one chosen for matrix products. */
  tile?: Tile;
  /** How the result is stored; default f32. */
  dtype?: FloatType;
}

/**
 * The batched matrix product that matmul and 1×1 convolutions share; it records nothing.
 * A shared `b` meets the rows of all matrices of an untransposed `a` as those of one matrix.
 */
export function product(gpu: Gpu, a: Operand, b: Operand, options: ProductOptions): Tensor {
  using scope = gpu.scope();
  const { n, k, output, bias, dtype = "f32" } = options;
  const isFolded = b.shared && !a.transposed;
  const batch = isFolded ? 1 : options.batch;
  const m = isFolded ? options.batch * options.m : options.m;
  const isCut = a.transposed && !bias && dtype === "f32"; // parts are summed in f32
  const chunk = isCut ? chunkOf({ batch, m, n, k }) : align(k);
  const splits = Math.ceil(k / chunk);
  const width = align(n);
  const isDone = splits === 1 && width === n;
  const y = empty(gpu, isDone ? output : [splits, batch * m, width], dtype);
  multiply(gpu, {
    a: aligned(gpu, a, batch, a.transposed ? [k, m] : [m, k]),
    b: aligned(gpu, b, batch, b.transposed ? [n, k] : [k, n]),
    bias: bias && fit(gpu, asRow(bias), 1, width),
    y: y.storage,
    batch,
    m,
    n,
    k,
    splits,
    chunk,
    transposeA: a.transposed,
    transposeB: b.transposed,
    shareA: a.shared,
    shareB: b.shared,
  }, options.tile);
  if (isDone) return scope.keep(y);
  const rows = { count: 1, rows: batch * m, columns: width };
  if (splits === 1) {
    return scope.keep(cropped(gpu, { ...rows, storage: y.storage }, rows.rows, output));
  }
  const size = batch * m * width;
  const sum = sumRows(gpu, y.storage, splits, size, width === n ? output : [size]);
  return scope.keep(
    width === n ? sum : cropped(gpu, { ...rows, storage: sum.storage }, rows.rows, output),
  );
}

/** Outputs from which on large tiles keep all of a GPU busy. */
const LARGE = 2 ** 18;

function multiply(gpu: Gpu, work: AlignedProduct, wanted: Tile | undefined): void {
  const { splits, batch, m, n } = work;
  const isSmall = kindOf(gpu) === "gpu" && splits * batch * m * n < LARGE;
  const tile = wanted ?? tileFor(gpu, isSmall ? "smallMatmul" : "matmul");
  if (tile !== "wide") return multiplyTiles(gpu, tile, work);
  if (suitsPanels(work)) return multiplyPanels(gpu, work);
  multiplyTiles(gpu, "registers", work);
}

/** Tiles of 8 by 8 that keep an adapter busy, and the least steps of k that one should have. */
const BUSY = 8192;
const SHORTEST = 64;

/** How many steps of a long k one part sums: all of them, unless the result is too small to share out. */
function chunkOf({ batch, m, n, k }: Extents): number {
  const tiles = batch * Math.ceil(m / 8) * Math.ceil(n / 8);
  const splits = Math.min(Math.ceil(BUSY / tiles), Math.floor(k / SHORTEST));
  return align(Math.ceil(k / Math.max(splits, 1)));
}

/** The operand with rows filled up to a multiple of 4. */
function aligned(gpu: Gpu, from: Operand, batch: number, [rows, columns]: Shape): Storage {
  const count = from.shared ? 1 : batch;
  return fit(gpu, { storage: from.storage, count, rows, columns }, rows, align(columns));
}

function asRow(bias: Tensor): Matrices {
  return { storage: bias.storage, count: 1, rows: 1, columns: bias.size };
}
