import { type Bound, defineKernel, type Gpu, gridFor, type Storage } from "../gpu/mod.ts";
import { empty, type Shape, type Tensor } from "../tensor/mod.ts";
import { align, fit } from "./fit.ts";
import type { GroupSettings, GroupStatistics } from "./group_statistics.ts";
import { groupSize } from "./tile.ts";

const kernel = defineKernel("winograd");

/** Outputs of a tile along each axis. */
const TILE = 4;

/** How many products make a tile. */
export const FREQUENCIES: number = (TILE + 2) ** 2;

/**
 * Bytes that transformed maps take at once: where all tiles would need more, they go part by part. A CPU
 * adapter is a quarter faster where they stay in its cache.
 */
const WORKSPACE = { cpu: 2 ** 21, gpu: 2 ** 26 };

/** The tiles of a part are a multiple of this, which is one of the rows that products compute together. */
const ROWS = 16;

/** What a convolution reads in place of x. */
export interface Reading {
  /** x normed and activated, as `groupApply` does it; x has a multiple of 4 channels then. */
  norm?: {
    gamma: Tensor;
    beta: Tensor;
    statistics: GroupStatistics;
    settings: GroupSettings;
  };
  /** x at twice its height and width, by nearest neighbour; the padding above and before is 1 then. */
  isDoubled?: boolean;
}

/** Images that are read or made tile by tile. */
export interface Tiled {
  storage: Storage;
  batch: number;
  /** A multiple of 4. */
  channels: number;
  /** Their own height and width. */
  image: Shape;
  /** Zeros above and before what is read. */
  top: number;
  left: number;
  /** How many tiles an image has along its height and width. */
  grid: Shape;
  reading: Reading;
}

/** Some of the `total` tiles of all images, filled up to a multiple of 4. */
export interface Part {
  first: number;
  tiles: number;
  total: number;
}

/** What is added to a convolution's result, and how it is stored. */
export interface Added {
  bias?: Storage;
  residual?: Storage;
  /** As sums over 2 by 2 pixels: the gradient of a doubled x. */
  isHalved?: boolean;
}

/** How many tiles cover an image. */
export function tilesOf(image: Shape): Shape {
  return image.map((length) => Math.ceil(length / TILE));
}

/** The height and width of an image that another one doubles. */
export function halved(image: Shape): Shape {
  return image.map((length) => length / 2);
}

/** Rows of channels, filled up to a multiple of 4. */
export function inQuads(
  { gpu, storage, size }: Tensor,
  columns: number,
): { storage: Storage; channels: number } {
  const channels = align(columns);
  const rows = size / columns;
  return { storage: fit(gpu, { storage, count: 1, rows, columns }, rows, channels), channels };
}

/**
 * Cuts the tiles of images into parts of `least` tiles or more, whose transformed maps, of so many
 * channels together, fit the workspace if so few can. No part's bits depend on the others.
 */
export function partsOf(
  gpu: Gpu,
  { batch, grid }: Tiled,
  channels: number,
  least: number,
): Part[] {
  const total = batch * grid[0] * grid[1];
  const bytes = gpu.isCpu ? WORKSPACE.cpu : WORKSPACE.gpu;
  const most = Math.max(least, Math.floor(bytes / (FREQUENCIES * channels * 4)));
  const length = Math.ceil(total / Math.ceil(total / most) / ROWS) * ROWS;
  return Array.from({ length: Math.ceil(total / length) }, (_, i) => ({
    first: i * length,
    tiles: Math.min(length, align(total - i * length)),
    total,
  }));
}

/** Bᵀ x B of what is read, tile by tile: a matrix of tiles by channels for each frequency. */
export function transformInputs(gpu: Gpu, source: Tiled, part: Part): Storage {
  const { storage: x, channels, reading: { norm, isDoubled = false } } = source;
  const y = empty(gpu, [FREQUENCIES, part.tiles, channels]).storage;
  const bind = {
    x,
    y,
    gamma: norm?.gamma.storage,
    beta: norm?.beta.storage,
    mean: norm?.statistics.mean.storage,
    variance: norm?.statistics.variance.storage,
  };
  const constants = {
    NORMED: Number(norm !== undefined),
    SILU: Number(norm?.settings.silu ?? false),
    DOUBLED: Number(isDoubled),
  };
  run(gpu, "inputs", source, part, bind, constants);
  return y;
}

/** A dy Aᵀ, tile by tile. */
export function transformCotangents(gpu: Gpu, sink: Tiled, part: Part): Storage {
  const y = empty(gpu, [FREQUENCIES, part.tiles, sink.channels]).storage;
  run(gpu, "cotangents", sink, part, { x: sink.storage, y });
  return y;
}

/** Aᵀ m A, from the products' matrices into the images of a sink. */
export function transformOutputs(
  gpu: Gpu,
  x: Storage,
  sink: Tiled,
  part: Part,
  { bias, residual, isHalved = false }: Added,
): void {
  const bind = { x, bias, residual, y: sink.storage };
  run(gpu, "outputs", sink, part, bind, {
    HAS_BIAS: Number(bias !== undefined),
    HAS_RESIDUAL: Number(residual !== undefined),
    HALVED: Number(isHalved),
  });
}

/** G w Gᵀ of the taps [3, 3, cin, cout]: a matrix of cin by cout for each frequency. */
export function transformTaps(gpu: Gpu, taps: Storage, cin: number, cout: number): Storage {
  const y = empty(gpu, [FREQUENCIES, cin, cout]).storage;
  runOnTaps(gpu, "weights", cin, cout, { x: taps, y });
  return y;
}

/** Gᵀ s G, the gradient of the taps, from a matrix of cin by cout for each frequency. */
export function transformSums(gpu: Gpu, x: Storage, cin: number, cout: number): Tensor {
  const dw = empty(gpu, [3, 3, cin, cout]);
  runOnTaps(gpu, "weightGradient", cin, cout, { x, y: dw.storage });
  return dw;
}

/** Runs an entry over taps: what is a tile to the other entries is an input channel. */
function runOnTaps(
  gpu: Gpu,
  entry: string,
  cin: number,
  cout: number,
  bind: Record<"x" | "y", Storage>,
): void {
  const one = { batch: 1, image: [1, 1], top: 0, left: 0, grid: [1, 1], reading: {} };
  const part = { first: 0, tiles: cin, total: cin };
  run(gpu, entry, { ...one, storage: bind.x, channels: cout }, part, bind);
}

function run(
  gpu: Gpu,
  entry: string,
  { channels, image, top, left, grid, reading: { norm } }: Tiled,
  part: Part,
  bind: Bound,
  constants: Record<string, number> = {},
): void {
  const GROUP = groupSize(gpu);
  gpu.run(kernel, entry, {
    bind,
    params: {
      height: image[0],
      width: image[1],
      channels,
      top,
      left,
      down: grid[0],
      across: grid[1],
      ...part,
      groups: norm?.settings.layout.groups ?? 1,
      eps: norm?.settings.eps ?? 0,
    },
    constants: { ...constants, GROUP },
    grid: gridFor(part.tiles * channels / 4, GROUP),
  });
}
