import { defineKernel, type Gpu, gridFor, type Storage } from "../gpu/mod.ts";
import { empty, type Shape, type Tensor } from "../tensor/mod.ts";
import type { Geometry } from "./convolve.ts";
import { align, cropped, fit, flipped, type Matrices } from "./fit.ts";
import type { GroupSettings, GroupStatistics } from "./group_statistics.ts";
import { groupSize } from "./tile.ts";
import { addProducts, multiply, sumsOf, totalOf } from "./winograd_products.ts";

const kernel = defineKernel("winograd");

/** Outputs of a tile along each axis, matrix products that make them, and taps of the kernel. */
const TILE = 4;
const FREQUENCIES = (TILE + 2) ** 2;
const TAPS = 9;

/** A part of the tiles is a multiple of this, which the rows of a product's tile divide. */
const ROWS = 16;

/** Tiles that a part has at least where it is summed: the sums are read and written for each. */
const LONG = 128;

/**
 * Bytes that transformed maps take at once: where all tiles would need more, they go part by part. A CPU
 * adapter is a quarter faster where they stay in its cache.
 */
const WORKSPACE = { cpu: 2 ** 21, gpu: 2 ** 26 };

/** What a convolution reads in place of x. */
export interface Reading {
  /** x normed and activated, as {@link groupApply} does it; x has a multiple of 4 channels then. */
  norm?: {
    gamma: Tensor;
    beta: Tensor;
    statistics: GroupStatistics;
    settings: GroupSettings;
  };
  /** x at twice its height and width, by nearest neighbour; the padding above and before is 1 then. */
  isDoubled?: boolean;
}

/** A map that is read or made tile by tile. */
interface Tiled {
  storage: Storage;
  /** A multiple of 4. */
  channels: number;
  /** Its own height and width. */
  image: Shape;
  /** Zeros above and before it. */
  top: number;
  left: number;
  /** How many tiles an image has along its height and width. */
  grid: Shape;
}

/** Some of the `total` tiles of all images, filled up to a multiple of 4. */
interface Part {
  first: number;
  tiles: number;
  total: number;
}

/**
 * A 3×3 convolution of stride 1 by Winograd's F(4×4, 3×3) (Lavin & Gray 2016), which multiplies a
 * quarter as often as the direct form; records nothing. Its rounding error is about twice as large.
 * `geometry` is that of what is read; `residual` is added to the result.
 */
export function winogradConvolve(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  geometry: Geometry,
  { residual, ...reading }: Reading & { residual?: Tensor } = {},
): Tensor {
  using scope = x.gpu.scope();
  const { gpu } = x;
  const { batch, cin, output, cout } = geometry;
  const taps = fit(gpu, tapsOf(weight), align(cin), align(cout));
  const y = empty(gpu, [batch, ...output, align(cout)]);
  const added = {
    bias: bias && inQuads(bias, cout).storage,
    residual: residual && inQuads(residual, cout).storage,
  };
  filter(sourceOf(x, geometry, reading), reading, taps, geometry, { y, ...added });
  return scope.keep(withChannels(y, cout));
}

/** The gradient with respect to what is read: dy convolved with the weights turned and transposed. */
export function winogradInputGradient(
  dy: Tensor,
  weight: Tensor,
  geometry: Geometry,
  { isDoubled = false }: Pick<Reading, "isDoubled"> = {},
): Tensor {
  using scope = dy.gpu.scope();
  const { gpu } = dy;
  const { batch, image, cin, output, cout, top, left } = geometry;
  const taps = flipped(gpu, tapsOf(weight), align(cout), align(cin));
  const turned = { image: output, cin: cout, output: image, cout: cin };
  const back = { ...geometry, ...turned, top: 2 - top, left: 2 - left };
  const dx = empty(gpu, [batch, ...(isDoubled ? halved(image) : image), align(cin)]);
  filter(sourceOf(dy, back), {}, taps, back, { y: dx, isHalved: isDoubled });
  return scope.keep(withChannels(dx, cin));
}

/** The gradient with respect to the weight [3, 3, cin, cout]. */
export function winogradWeightGradient(
  x: Tensor,
  dy: Tensor,
  geometry: Geometry,
  reading: Reading = {},
): Tensor {
  using scope = x.gpu.scope();
  const { gpu } = x;
  const { batch, cin, output, cout } = geometry;
  const source = sourceOf(x, geometry, reading);
  const { grid } = source;
  const sink = { ...inQuads(dy, cout), image: output, top: 0, left: 0, grid };
  const [rows, columns] = [source.channels, sink.channels];
  const parts = partsOf(gpu, batch, grid, rows + columns, LONG);
  const extents = { batch: FREQUENCIES, m: rows, n: columns, k: parts[0].tiles };
  const sums = sumsOf(gpu, extents);
  for (const part of parts) {
    using _scope = gpu.scope();
    const a = transformedInputs(gpu, source, reading, part);
    const b = transformed(gpu, "cotangents", sink, part, { x: sink.storage });
    addProducts(gpu, { a, b, k: part.tiles, isFirst: part.first === 0 }, sums);
  }
  const dw = empty(gpu, [3, 3, rows, columns]);
  const bind = { x: totalOf(sums), y: dw.storage };
  runOnTaps(gpu, "weightGradient", rows, columns, bind);
  if (rows === cin && columns === cout) return scope.keep(dw);
  const found = { storage: dw.storage, count: TAPS, rows, columns };
  return scope.keep(cropped(gpu, found, cin, [3, 3, cin, cout]));
}

/** What {@link filter} makes, and adds to it. */
interface Result {
  y: Tensor;
  bias?: Storage;
  residual?: Storage;
  /** y has sums over 2 by 2 of the convolution's pixels. */
  isHalved?: boolean;
}

/** Transforms, multiplies and transforms back; `taps` are [3, 3, cin, cout], in multiples of 4. */
function filter(
  source: Tiled,
  reading: Reading,
  taps: Storage,
  { batch }: Geometry,
  { y, bias, residual, isHalved = false }: Result,
): void {
  const { gpu, shape: [, ...image] } = y;
  const width = y.shape[3];
  const sink = {
    storage: y.storage,
    channels: width,
    image,
    top: 0,
    left: 0,
    grid: source.grid,
  };
  const weights = transformedTaps(gpu, taps, source.channels, width);
  const constants = {
    HAS_BIAS: Number(bias !== undefined),
    HAS_RESIDUAL: Number(residual !== undefined),
    HALVED: Number(isHalved),
  };
  for (const part of partsOf(gpu, batch, source.grid, source.channels + width, ROWS)) {
    using _scope = gpu.scope();
    const maps = transformedInputs(gpu, source, reading, part);
    const extents = { batch: FREQUENCIES, m: part.tiles, n: width, k: source.channels };
    const x = multiply(gpu, maps, weights, extents).storage;
    const bind = { x, bias: bias ?? x, residual: residual ?? x, y: y.storage };
    runOnTiles(gpu, "outputs", sink, part, bind, constants);
  }
}

/** x as the transform reads it, with the tiles of what the convolution makes. */
function sourceOf(
  x: Tensor,
  { cin, image, output, top, left }: Geometry,
  { isDoubled }: Reading = {},
): Tiled {
  const own = isDoubled ? halved(image) : image;
  return { ...inQuads(x, cin), image: own, top, left, grid: tilesOf(output) };
}

function halved(image: Shape): Shape {
  return image.map((length) => length / 2);
}

/** The first `count` channels of an image. */
function withChannels(y: Tensor, count: number): Tensor {
  const columns = y.shape[3];
  if (columns === count) return y;
  const rows = y.size / columns;
  const shape = [...y.shape.slice(0, 3), count];
  return cropped(y.gpu, { storage: y.storage, count: 1, rows, columns }, rows, shape);
}

/** How many tiles cover an image. */
function tilesOf(image: Shape): Shape {
  return image.map((length) => Math.ceil(length / TILE));
}

/**
 * Cuts the tiles of images into parts of `least` tiles or more, whose transformed maps, of so many
 * channels together, fit the workspace if so few can.
 */
function partsOf(gpu: Gpu, images: number, grid: Shape, channels: number, least: number): Part[] {
  const total = images * grid[0] * grid[1];
  const bytes = gpu.isCpu ? WORKSPACE.cpu : WORKSPACE.gpu;
  const most = Math.max(least, Math.floor(bytes / (FREQUENCIES * channels * 4)));
  const length = Math.ceil(total / Math.ceil(total / most) / ROWS) * ROWS;
  return Array.from({ length: Math.ceil(total / length) }, (_, i) => ({
    first: i * length,
    tiles: Math.min(length, align(total - i * length)),
    total,
  }));
}

/** Rows of channels, filled up to a multiple of 4. */
function inQuads({ gpu, storage, size }: Tensor, columns: number) {
  const channels = align(columns);
  const rows = size / columns;
  return { storage: fit(gpu, { storage, count: 1, rows, columns }, rows, channels), channels };
}

function tapsOf({ storage, shape: [, , rows, columns] }: Tensor): Matrices {
  return { storage, count: TAPS, rows, columns };
}

/** The tiles of a map, transformed: a matrix of tiles by channels for each frequency. */
function transformed(
  gpu: Gpu,
  entry: "inputs" | "cotangents",
  map: Tiled,
  part: Part,
  bind: Record<string, Storage>,
  constants: Record<string, number> = {},
  norm: Record<string, number> = {},
): Storage {
  const y = empty(gpu, [FREQUENCIES, part.tiles, map.channels]).storage;
  runOnTiles(gpu, entry, map, part, { ...bind, y }, constants, norm);
  return y;
}

/** The tiles of what a convolution reads. */
function transformedInputs(
  gpu: Gpu,
  source: Tiled,
  { norm, isDoubled = false }: Reading,
  part: Part,
): Storage {
  const x = source.storage;
  const tensors = norm && { gamma: norm.gamma, beta: norm.beta, ...norm.statistics };
  const bind = {
    x,
    gamma: tensors?.gamma.storage ?? x,
    beta: tensors?.beta.storage ?? x,
    mean: tensors?.mean.storage ?? x,
    variance: tensors?.variance.storage ?? x,
  };
  const constants = {
    NORMED: Number(norm !== undefined),
    SILU: Number(norm?.settings.silu ?? false),
    DOUBLED: Number(isDoubled),
  };
  const params = norm && { groups: norm.settings.layout.groups, eps: norm.settings.eps };
  return transformed(gpu, "inputs", source, part, bind, constants, params);
}

/** The taps, transformed: a matrix of cin by cout for each frequency. */
function transformedTaps(gpu: Gpu, taps: Storage, cin: number, cout: number): Storage {
  const y = empty(gpu, [FREQUENCIES, cin, cout]);
  runOnTaps(gpu, "weights", cin, cout, { x: taps, y: y.storage });
  return y.storage;
}

function runOnTiles(
  gpu: Gpu,
  entry: string,
  { channels, image, top, left, grid }: Tiled,
  part: Part,
  bind: Record<string, Storage>,
  constants: Record<string, number> = {},
  { groups = 1, eps = 0 }: Record<string, number> = {},
): void {
  const GROUP = groupSize(gpu);
  gpu.run(kernel, entry, {
    bind,
    params: {
      groups,
      eps,
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

/** Runs an entry over taps: what is a tile to the other entries is an input channel. */
function runOnTaps(
  gpu: Gpu,
  entry: string,
  cin: number,
  cout: number,
  bind: Record<string, Storage>,
): void {
  const one = { storage: bind.y, channels: cout, image: [1, 1], top: 0, left: 0, grid: [1, 1] };
  const part = { first: 0, tiles: cin, total: cin };
  runOnTiles(gpu, entry, one, part, bind);
}
