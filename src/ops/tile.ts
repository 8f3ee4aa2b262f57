import type { Gpu } from "../gpu/mod.ts";

/**
 * How a product's outputs are shared out. Every one of them gives the same bits: an output is one chain
 * of fused multiply-adds, whatever the tile around it.
 *
 * - `registers`: 8 by 8 outputs in each invocation, no workgroup memory;
 * - `wide`: 16 by 16, one step of the sum at a time, for adapters whose loads are slow;
 * - `wide32`: 16 by 32, four steps at a time, for drivers that compile long code well;
 * - `shared…`: an invocation of a workgroup computes a part of a tile whose operands lie in workgroup
 *   memory: 32 by 32, 64 by 64, or 128 by 64 outputs.
 */
export type Tile = "registers" | "wide" | "wide32" | "shared32" | "shared64" | "shared128";

/** What tiles are chosen for: each is measured by itself. */
export type Slot = "matmul" | "smallMatmul" | "winograd" | "convolution" | "weightGradient";

/** A tile for each. */
export type Tiles = Record<Slot, Tile>;

/** What tiles suit: adapters that run on the CPU, or GPUs. */
export type Kind = "cpu" | "gpu";

/**
 * The tiles worth measuring; the first is used where nothing was measured. On a CPU compiling takes longer
 * than measuring, so only what drivers disagree on is measured there.
 */
export const candidates: Readonly<Record<Kind, Readonly<Record<Slot, readonly Tile[]>>>> = {
  cpu: {
    matmul: ["wide", "registers"],
    smallMatmul: ["registers"],
    winograd: ["wide", "wide32"],
    convolution: ["wide"],
    weightGradient: ["wide"],
  },
  gpu: {
    matmul: ["shared64", "shared128", "registers"],
    smallMatmul: ["shared32", "shared64", "registers"],
    winograd: ["shared64", "shared128", "registers"],
    convolution: ["shared64", "shared128", "registers"],
    weightGradient: ["shared64", "shared128", "registers"],
  },
};

/** What a tile of workgroup memory is compiled with: its extents in vec4, and who computes it. */
export interface SharedTile {
  /** Invocations in a workgroup, 8 across. */
  THREADS: number;
  HEIGHT: number;
  WIDTH: number;
  /** Whether an invocation computes 8 by 8 outputs and not 4 by 4. */
  WHOLE: number;
}

/** The tiles of workgroup memory. */
export const sharedTiles: Readonly<Partial<Record<Tile, SharedTile>>> = {
  shared32: { THREADS: 64, HEIGHT: 8, WIDTH: 8, WHOLE: 0 },
  shared64: { THREADS: 64, HEIGHT: 16, WIDTH: 16, WHOLE: 1 },
  shared128: { THREADS: 128, HEIGHT: 32, WIDTH: 16, WHOLE: 1 },
};

const chosen = new WeakMap<Gpu, Tiles>();
let forcedKind: Kind | undefined;
let forcedTiles: Partial<Tiles> = {};

/** What kind of adapter this is. */
export function kindOf(gpu: Gpu): Kind {
  return forcedKind ?? (gpu.isCpu ? "cpu" : "gpu");
}

/** The tile to use: the one chosen for this device, else the one that suits its kind. */
export function tileFor(gpu: Gpu, slot: Slot): Tile {
  return forcedTiles[slot] ??
    (forcedKind ? undefined : chosen.get(gpu)?.[slot]) ??
    candidates[kindOf(gpu)][slot][0];
}

/** The tiles that a device uses. */
export function tilesOf(gpu: Gpu): Tiles {
  return {
    matmul: tileFor(gpu, "matmul"),
    smallMatmul: tileFor(gpu, "smallMatmul"),
    winograd: tileFor(gpu, "winograd"),
    convolution: tileFor(gpu, "convolution"),
    weightGradient: tileFor(gpu, "weightGradient"),
  };
}

/** Has a device use these tiles from now on. */
export function useTiles(gpu: Gpu, tiles: Tiles): void {
  chosen.set(gpu, tiles);
}

/** Records work with these tiles, to measure them. */
export function recordWith<T>(tiles: Partial<Tiles>, work: () => T): T {
  const before = forcedTiles;
  forcedTiles = { ...before, ...tiles };
  try {
    return work();
  } finally {
    forcedTiles = before;
  }
}

/** Runs `work` as on the other kind of adapter, so that a test reaches both. */
export async function withKind<T>(kind: Kind, work: () => T | Promise<T>): Promise<T> {
  const before = forcedKind;
  forcedKind = kind;
  try {
    return await work();
  } finally {
    forcedKind = before;
  }
}

/** Runs `work` with these tiles on any adapter, so that a test reaches all. */
export async function withTiles<T>(
  tiles: Partial<Tiles>,
  work: () => T | Promise<T>,
): Promise<T> {
  const before = forcedTiles;
  forcedTiles = { ...before, ...tiles };
  try {
    return await work();
  } finally {
    forcedTiles = before;
  }
}

/** {@link withTiles} with one tile for everything. */
export function withTile<T>(tile: Tile, work: () => T | Promise<T>): Promise<T> {
  return withTiles(
    { matmul: tile, smallMatmul: tile, winograd: tile, convolution: tile, weightGradient: tile },
    work,
  );
}

/** Invocations in a workgroup that shares nothing: a few SIMD vectors on a CPU, two warps on a GPU. */
export function groupSize(gpu: Gpu): number {
  return gpu.isCpu ? 16 : 64;
}
