import type { Gpu } from "../gpu/mod.ts";

/**
 * How a matrix product is tiled: `registers` keeps 8 by 8 outputs in each invocation and uses no
 * workgroup memory, `tiled` shares blocks of the operands in workgroup memory.
 */
export type Tile = "registers" | "tiled";

let forced: Tile | undefined;

/** The faster tile on this adapter. */
export function tileFor(gpu: Gpu): Tile {
  return forced ?? (gpu.isCpu ? "registers" : "tiled");
}

/** Runs `work` with one tile on any adapter, so that a test reaches both. */
export async function withTile<T>(tile: Tile, work: () => T | Promise<T>): Promise<T> {
  const before = forced;
  forced = tile;
  try {
    return await work();
  } finally {
    forced = before;
  }
}

/** Invocations in a workgroup that shares nothing: a few SIMD vectors on a CPU, two warps on a GPU. */
export function groupSize(gpu: Gpu): number {
  return gpu.isCpu ? 16 : 64;
}
