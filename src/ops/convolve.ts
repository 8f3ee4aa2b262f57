import { defineKernel, type Gpu, gridFor, type Storage } from "../gpu/mod.ts";
import { empty, type FloatType, type Shape, type Tensor } from "../tensor/mod.ts";
import { align, cropped, fit, flipped } from "./fit.ts";
import { sumRows } from "./sum_rows.ts";
import { groupSize, sharedTiles, type Tile, tileFor } from "./tile.ts";

const forward = defineKernel("conv2d");
const gradient = defineKernel("conv2d_grad");

/** The extents of a convolution of [batch, image, cin] with [kernel, cin, cout] to [batch, output, cout]. */
export interface Geometry {
  batch: number;
  image: Shape;
  cin: number;
  kernel: Shape;
  output: Shape;
  cout: number;
  stride: number;
  top: number;
  left: number;
}

/** A convolution as the kernel sees it: channels are multiples of 4, x may be dilated. */
interface Pass extends Geometry {
  /** 1, or for a gradient the stride of the convolution it belongs to. */
  dilation: number;
}

/** The convolution itself, stored as `dtype`; records nothing. */
export function convolve(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  geometry: Geometry,
  dtype: FloatType,
): Tensor {
  using scope = x.gpu.scope();
  const { gpu } = x;
  const { cin, cout } = geometry;
  const pass = { ...geometry, cin: align(cin), cout: align(cout), dilation: 1 };
  const taps = { storage: weight.storage, count: area(geometry.kernel), rows: cin, columns: cout };
  const bind = {
    x: channels(gpu, x.storage, geometry.batch * area(geometry.image), cin),
    w: fit(gpu, taps, pass.cin, pass.cout),
    bias: bias && channels(gpu, bias.storage, 1, cout),
  };
  return scope.keep(run(gpu, bind, pass, cout, dtype));
}

/**
 * The gradient with respect to x: dy, with stride − 1 zeros between its pixels, convolved with the
 * flipped and transposed weights.
 */
export function inputGradient(dy: Tensor, weight: Tensor, geometry: Geometry): Tensor {
  using scope = dy.gpu.scope();
  const { gpu } = dy;
  const { batch, image, cin, kernel, output, cout, stride, top, left } = geometry;
  const pass = {
    batch,
    image: output,
    cin: align(cout),
    kernel,
    output: image,
    cout: align(cin),
    stride: 1,
    top: kernel[0] - 1 - top,
    left: kernel[1] - 1 - left,
    dilation: stride,
  };
  const taps = { storage: weight.storage, count: area(kernel), rows: cin, columns: cout };
  const bind = {
    x: channels(gpu, dy.storage, batch * area(output), cout),
    w: flipped(gpu, taps, pass.cin, pass.cout),
  };
  return scope.keep(run(gpu, bind, pass, cin, "f32"));
}

function run(
  gpu: Gpu,
  { x, w, bias }: { x: Storage; w: Storage; bias?: Storage },
  pass: Pass,
  cout: number,
  dtype: FloatType,
): Tensor {
  const { batch, output } = pass;
  const y = empty(gpu, [batch, ...output, pass.cout], dtype);
  dispatch(gpu, { x, w, bias, y: y.storage }, pass);
  if (pass.cout === cout) return y;
  const pixels = { storage: y.storage, count: 1, rows: batch * area(output), columns: pass.cout };
  return cropped(gpu, pixels, pixels.rows, [batch, ...output, cout]);
}

function dispatch(
  gpu: Gpu,
  bind: Record<"x" | "w" | "y", Storage> & { bias: Storage | undefined },
  pass: Pass,
): void {
  const { batch, output: [height, width], dilation, cout, top, left } = pass;
  const work = {
    params: {
      ...extents(pass),
      topPhase: modulo(top, dilation),
      leftPhase: modulo(left, dilation),
      hasBias: Number(bind.bias !== undefined),
    },
    constants: { DILATION: dilation },
  };
  const tile = tileOf(gpu, pass);
  const shared = sharedTiles[tile];
  if (shared) {
    const tiles = Math.ceil(batch * height * width / (4 * shared.HEIGHT)) *
      Math.ceil(cout / (4 * shared.WIDTH));
    const constants = { ...work.constants, ...partsOf(tile, cout) };
    return gpu.run(forward, "tiled", { bind, ...work, constants, grid: gridFor(tiles, 1) });
  }
  const edge = tile === "wide" ? 16 : 8;
  const columns = dilation * Math.ceil(Math.ceil(width / dilation) / edge);
  const tiles = batch * height * columns * Math.ceil(cout / edge);
  const GROUP = tile === "wide" ? SIMD : groupSize(gpu);
  const grid = gridFor(tiles, GROUP);
  if (tile === "wide") {
    const { x: singles, ...others } = bind;
    const constants = { ...work.constants, GROUP };
    return gpu.run(forward, "wide", { bind: { singles, ...others }, ...work, constants, grid });
  }
  const constants = { ...work.constants, NARROW: Number(cout === 4), GROUP };
  gpu.run(forward, "registers", { bind, ...work, constants, grid });
}

/** Invocations in a workgroup of wide tiles: one SIMD vector. */
const SIMD = 8;

/** Pixels and channels that a wide tile needs. */
const WIDE = 16;

function tileOf(gpu: Gpu, { output, dilation, cout }: Pass): Tile {
  const tile = tileFor(gpu, "convolution");
  const isWide = Math.min(Math.floor(output[1] / dilation), cout) >= WIDE;
  return tile === "wide" && !isWide ? "registers" : tile;
}

/** The constants of a tile of workgroup memory; where half of its columns exist, those alone are computed. */
function partsOf(tile: Tile, cout: number): Record<string, number> {
  const { THREADS, HEIGHT, WIDTH, WHOLE } = sharedTiles[tile]!;
  const isHalf = WHOLE === 0 || cout <= 2 * WIDTH;
  return { THREADS, HEIGHT, WIDTH, TALL: WHOLE, NARROW: Number(isHalf) };
}

/** The gradient with respect to the weight [kernel, cin, cout]. */
export function weightGradient(x: Tensor, dy: Tensor, geometry: Geometry): Tensor {
  using scope = x.gpu.scope();
  const { gpu } = x;
  const { batch, image, cin, kernel, output, cout } = geometry;
  const pass = { ...geometry, cin: align(cin), cout: align(cout) };
  const blocks = area(kernel) * Math.ceil(pass.cin / 8) * Math.ceil(pass.cout / 8);
  const lines = batch * output[0];
  const chunk = Math.ceil(lines / Math.min(Math.ceil(BUSY / blocks), lines));
  const splits = Math.ceil(lines / chunk);
  const shape = [...kernel, pass.cin, pass.cout];
  const sums = empty(gpu, splits === 1 ? shape : [splits, ...shape]);
  const bind = {
    x: channels(gpu, x.storage, batch * area(image), cin),
    dy: channels(gpu, dy.storage, batch * area(output), cout),
    sums: sums.storage,
  };
  dispatchWeights(gpu, bind, pass, { splits, chunk });
  const whole = splits === 1 ? sums : sumRows(gpu, sums.storage, splits, sums.size / splits, shape);
  const found = { storage: whole.storage, count: area(kernel), rows: pass.cin, columns: pass.cout };
  const isDone = cin === pass.cin && cout === pass.cout;
  return scope.keep(isDone ? whole : cropped(gpu, found, cin, [...kernel, cin, cout]));
}

function dispatchWeights(
  gpu: Gpu,
  bind: Record<string, Storage>,
  pass: Geometry,
  parts: { splits: number; chunk: number },
): void {
  const { cin, cout, kernel } = pass;
  const params = { ...extents(pass), ...parts };
  const wanted = tileFor(gpu, "weightGradient");
  const tile = wanted === "wide" && Math.min(cin, cout) < WIDE ? "registers" : wanted;
  const tilesOf = (height: number, width: number) =>
    parts.splits * area(kernel) * Math.ceil(cin / height) * Math.ceil(cout / width);
  const shared = sharedTiles[tile];
  if (shared) {
    const grid = gridFor(tilesOf(4 * shared.HEIGHT, 4 * shared.WIDTH), 1);
    return gpu.run(gradient, "tiled", { bind, params, constants: partsOf(tile, cout), grid });
  }
  if (tile === "wide") {
    const grid = gridFor(tilesOf(WIDE, WIDE), SIMD);
    return gpu.run(gradient, "wide", { bind, params, constants: { GROUP: SIMD }, grid });
  }
  const GROUP = groupSize(gpu);
  const constants = { NARROW: Number(cout === 4), GROUP };
  gpu.run(gradient, "registers", { bind, params, constants, grid: gridFor(tilesOf(8, 8), GROUP) });
}

/** Tiles of 8 by 8 that keep an adapter busy: a smaller gradient is summed in parts. */
const BUSY = 8192;

/** The channels of pixels, filled up to a multiple of 4. */
function channels(gpu: Gpu, storage: Storage, pixels: number, count: number): Storage {
  return fit(gpu, { storage, count: 1, rows: pixels, columns: count }, pixels, align(count));
}

function extents({ batch, image, cin, kernel, output, cout, stride, top, left }: Geometry) {
  return {
    batch,
    height: image[0],
    width: image[1],
    cin,
    outHeight: output[0],
    outWidth: output[1],
    cout,
    kernelHeight: kernel[0],
    kernelWidth: kernel[1],
    stride,
    top,
    left,
  };
}

function area([height, width]: Shape): number {
  return height * width;
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}
