import { defineKernel, type Gpu, gridFor, type Storage } from "../gpu/mod.ts";
import { align } from "./fit.ts";
import { groupSize, sharedTiles, type Tile } from "./tile.ts";

const kernel = defineKernel("matmul");

/** A batch of products op(a) op(b) + bias = y, whose matrices have rows of a multiple of 4 elements. */
export interface AlignedProduct {
  a: Storage;
  b: Storage;
  /** Of a multiple of 4 elements too. */
  bias: Storage | undefined;
  y: Storage;
  batch: number;
  m: number;
  n: number;
  k: number;
  /** k is cut into `splits` parts of `chunk` each; every part writes its own y. */
  splits: number;
  chunk: number;
  /** Whether a is stored as [k, m], and b as [n, k]. */
  transposeA: boolean;
  transposeB: boolean;
  /** Whether all matrices of the batch share a, or b. */
  shareA: boolean;
  shareB: boolean;
}

/** Computes products in any tile but `wide`. */
export function multiplyTiles(gpu: Gpu, tile: Tile, work: AlignedProduct): void {
  const { a, b, bias, y, batch, m, n, k, splits, chunk, ...forms } = work;
  const { transposeA, transposeB, shareA, shareB } = forms;
  const shared = sharedTiles[tile];
  const GROUP = groupSize(gpu);
  const [height, width] = shared ? [4 * shared.HEIGHT, 4 * shared.WIDTH] : [8, 8];
  const tiles = splits * batch * Math.ceil(m / height) * Math.ceil(n / width);
  gpu.run(kernel, shared ? "tiled" : "registers", {
    bind: { a, b, bias, y },
    params: {
      m,
      n,
      k,
      aBatch: shareA ? 0 : (transposeA ? k * align(m) : m * align(k)) / 4,
      bBatch: shareB ? 0 : (transposeB ? n * align(k) : k * align(n)) / 4,
      batch,
      splits,
      chunk,
    },
    constants: {
      TRANSPOSE_A: Number(transposeA),
      TRANSPOSE_B: Number(transposeB),
      HAS_BIAS: Number(bias !== undefined),
      RAGGED: Number(k % 4 !== 0),
      ...(shared ?? { GROUP }),
    },
    grid: gridFor(tiles, shared ? 1 : GROUP),
  });
}
