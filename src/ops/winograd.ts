import { defineKernel, type Gpu, gridFor, type Storage } from "../gpu/mod.ts";
import { empty, type Shape, type Tensor } from "../tensor/mod.ts";
import type { Geometry } from "./convolve.ts";
import { align, cropped, fit } from "./fit.ts";
import { type Operand, product, type ProductOptions } from "./matmul.ts";
import { groupSize } from "./tile.ts";

const kernel = defineKernel("winograd");

/** Outputs of a tile along each axis, matrix products that make them, and taps of the kernel. */
const TILE = 4;
const FREQUENCIES = (TILE + 2) ** 2;
const TAPS = 9;

/**
 * Bytes that transformed maps take at once: where all tiles would need more, they go part by part. A CPU
 * adapter is a quarter faster where they stay in its cache.
 */
const WORKSPACE = { cpu: 2 ** 21, gpu: 2 ** 26 };

/** A map that is read or made tile by tile. */
interface Tiled {
  storage: Storage;
  /** A multiple of 4. */
  channels: number;
  /** Height and width. */
  image: Shape;
  /** Zeros above and before it. */
  top: number;
  left: number;
  /** How many tiles an image has along its height and width. */
  grid: Shape;
}

/** Some of the tiles of all images. */
interface Part {
  first: number;
  tiles: number;
}

/**
 * A 3×3 convolution of stride 1 by Winograd's F(4×4, 3×3) (Lavin & Gray 2016), which multiplies a
 * quarter as often as the direct form; records nothing. Its rounding error is about twice as large.
 */
export function winogradConvolve(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  geometry: Geometry,
): Tensor {
  return filter(x, weight, bias, geometry, false);
}

/** The gradient with respect to x: dy convolved with the weights turned by 180° and transposed. */
export function winogradInputGradient(dy: Tensor, weight: Tensor, geometry: Geometry): Tensor {
  const { image, cin, output, cout, top, left } = geometry;
  const turned = { image: output, cin: cout, output: image, cout: cin };
  const back = { ...geometry, ...turned, top: 2 - top, left: 2 - left };
  return filter(dy, weight, undefined, back, true);
}

/** Transforms, multiplies, transforms back. `isTurned`: the weight is that of the opposite direction. */
function filter(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  { batch, image, top, left, cin, output, cout }: Geometry,
  isTurned: boolean,
): Tensor {
  using scope = x.gpu.scope();
  const { gpu } = x;
  const grid = tilesOf(output);
  const source = { ...inQuads(x, cin), image, top, left, grid };
  const width = align(cout);
  const y = empty(gpu, [batch, ...output, width]);
  const sink = { storage: y.storage, channels: width, image: output, top: 0, left: 0, grid };
  const weights = transformedWeight(weight, isTurned);
  const added = bias && inQuads(bias, cout).storage;
  for (const part of partsOf(gpu, batch * grid[0] * grid[1], source.channels + width)) {
    using _scope = gpu.scope();
    const maps = transformed(gpu, "inputs", source, part);
    const extents = spectrum(part.tiles, width, source.channels);
    const products = product(gpu, maps, weights, extents);
    const bind = { x: products.storage, bias: added ?? products.storage, y: y.storage };
    runOnTiles(gpu, "outputs", sink, part, bind, { HAS_BIAS: Number(added !== undefined) });
  }
  if (width === cout) return scope.keep(y);
  const rows = y.size / width;
  const found = { storage: y.storage, count: 1, rows, columns: width };
  return scope.keep(cropped(gpu, found, rows, [batch, ...output, cout]));
}

/** The gradient with respect to the weight [3, 3, cin, cout]. */
export function winogradWeightGradient(x: Tensor, dy: Tensor, geometry: Geometry): Tensor {
  using scope = x.gpu.scope();
  const { gpu } = x;
  const { batch, image, top, left, cin, output, cout } = geometry;
  const grid = tilesOf(output);
  const source = { ...inQuads(x, cin), image, top, left, grid };
  const sink = { ...inQuads(dy, cout), image: output, top: 0, left: 0, grid };
  const [rows, columns] = [source.channels, sink.channels];
  const dw = empty(gpu, [3, 3, rows, columns]);
  for (const part of partsOf(gpu, batch * grid[0] * grid[1], rows + columns)) {
    using _scope = gpu.scope();
    const maps = { ...transformed(gpu, "inputs", source, part), transposed: true };
    const cotangents = transformed(gpu, "cotangents", sink, part);
    const products = product(gpu, maps, cotangents, spectrum(rows, columns, part.tiles));
    const bind = { x: products.storage, y: dw.storage };
    runOnWeights(gpu, "weightGradient", [rows, columns], bind, { ADD: Number(part.first > 0) });
  }
  if (rows === cin && columns === cout) return scope.keep(dw);
  const found = { storage: dw.storage, count: TAPS, rows, columns };
  return scope.keep(cropped(gpu, found, cin, [3, 3, cin, cout]));
}

/** How many tiles cover an image. */
function tilesOf(image: Shape): Shape {
  return image.map((length) => Math.ceil(length / TILE));
}

/** Cuts tiles into parts whose transformed maps, of so many channels together, fit the workspace. */
function partsOf(gpu: Gpu, tiles: number, channels: number): Part[] {
  const bytes = gpu.isCpu ? WORKSPACE.cpu : WORKSPACE.gpu;
  const most = Math.max(1, Math.floor(bytes / (FREQUENCIES * channels * 4)));
  const length = Math.ceil(tiles / Math.ceil(tiles / most));
  return Array.from({ length: Math.ceil(tiles / length) }, (_, i) => ({
    first: i * length,
    tiles: Math.min(length, tiles - i * length),
  }));
}

/** Rows of channels, filled up to a multiple of 4. */
function inQuads({ gpu, storage, size }: Tensor, columns: number) {
  const channels = align(columns);
  const rows = size / columns;
  return { storage: fit(gpu, { storage, count: 1, rows, columns }, rows, channels), channels };
}

/** The extents of one product for each frequency. */
function spectrum(m: number, n: number, k: number): ProductOptions {
  return { batch: FREQUENCIES, m, n, k, output: [FREQUENCIES, m, n] };
}

/** The tiles of a map, transformed: a matrix of tiles by channels for each frequency. */
function transformed(
  gpu: Gpu,
  entry: "inputs" | "cotangents",
  map: Tiled,
  part: Part,
): Operand {
  const y = empty(gpu, [FREQUENCIES, part.tiles, map.channels]);
  runOnTiles(gpu, entry, map, part, { x: map.storage, y: y.storage });
  return { storage: y.storage, transposed: false, shared: false };
}

/** The weight [3, 3, cin, cout], transformed: a matrix of cin by cout for each frequency. */
function transformedWeight(weight: Tensor, isTurned: boolean): Operand {
  const { gpu, storage } = weight;
  const [, , cin, cout] = weight.shape;
  const [rows, columns] = [align(cin), align(cout)];
  const x = fit(gpu, { storage, count: TAPS, rows: cin, columns: cout }, rows, columns);
  const y = empty(gpu, [FREQUENCIES, rows, columns]);
  const bind = { x, y: y.storage };
  runOnWeights(gpu, "weights", [rows, columns], bind, { TURN: Number(isTurned) });
  return { storage: y.storage, transposed: isTurned, shared: false };
}

function runOnTiles(
  gpu: Gpu,
  entry: string,
  { channels, image, top, left, grid }: Tiled,
  part: Part,
  bind: Record<string, Storage>,
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
    },
    constants: { ...constants, GROUP },
    grid: gridFor(part.tiles * channels / 4, GROUP),
  });
}

/** Runs an entry over the [cin, cout] of a weight: what is a tile to the others is an input channel. */
function runOnWeights(
  gpu: Gpu,
  entry: string,
  [cin, cout]: Shape,
  bind: Record<string, Storage>,
  constants: Record<string, number>,
): void {
  const one = { channels: cout, image: [1, 1], top: 0, left: 0, grid: [1, 1] };
  runOnTiles(gpu, entry, { ...one, storage: bind.y }, { first: 0, tiles: cin }, bind, constants);
}
