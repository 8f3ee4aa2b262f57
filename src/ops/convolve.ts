import { defineKernel, type Gpu, gridFor, type Storage } from "../gpu/mod.ts";
import { empty, type Shape, type Tensor } from "../tensor/mod.ts";
import { align, cropped, fit, flipped } from "./fit.ts";
import { sumRows } from "./sum_rows.ts";
import { groupSize, kindOf } from "./tile.ts";

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

/** The convolution itself; records nothing. */
export function convolve(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  geometry: Geometry,
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
  return scope.keep(run(gpu, bind, pass, cout));
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
  return scope.keep(run(gpu, bind, pass, cin));
}

function run(
  gpu: Gpu,
  { x, w, bias }: { x: Storage; w: Storage; bias?: Storage },
  pass: Pass,
  cout: number,
): Tensor {
  const { batch, output, dilation } = pass;
  const y = empty(gpu, [batch, ...output, pass.cout]);
  const tile = kindOf(gpu) === "cpu" ? "registers" : "tiled";
  const GROUP = groupSize(gpu);
  const lines = batch * output[0];
  const tiles = tile === "registers"
    ? lines * dilation * Math.ceil(output[1] / (8 * dilation)) * Math.ceil(pass.cout / 8)
    : Math.ceil(lines * output[1] / 64) * Math.ceil(pass.cout / 64);
  gpu.run(forward, tile, {
    bind: { x, w, bias: bias ?? w, y: y.storage },
    params: {
      ...extents(pass),
      topPhase: modulo(pass.top, dilation),
      leftPhase: modulo(pass.left, dilation),
    },
    constants: {
      DILATION: dilation,
      HAS_BIAS: Number(bias !== undefined),
      NARROW: Number(pass.cout === 4),
      GROUP,
    },
    grid: gridFor(tiles, tile === "registers" ? GROUP : 1),
  });
  if (pass.cout === cout) return y;
  const pixels = { storage: y.storage, count: 1, rows: lines * output[1], columns: pass.cout };
  return cropped(gpu, pixels, pixels.rows, [batch, ...output, cout]);
}

/** The gradient with respect to the weight [kernel, cin, cout]. */
export function weightGradient(x: Tensor, dy: Tensor, geometry: Geometry): Tensor {
  using scope = x.gpu.scope();
  const { gpu } = x;
  const { batch, image, cin, kernel, output, cout } = geometry;
  const pass = { ...geometry, cin: align(cin), cout: align(cout) };
  const tiles = area(kernel) * Math.ceil(pass.cin / 8) * Math.ceil(pass.cout / 8);
  const lines = batch * output[0];
  const chunk = Math.ceil(lines / Math.min(Math.ceil(BUSY / tiles), lines));
  const splits = Math.ceil(lines / chunk);
  const shape = [...kernel, pass.cin, pass.cout];
  const sums = empty(gpu, splits === 1 ? shape : [splits, ...shape]);
  const GROUP = groupSize(gpu);
  gpu.run(gradient, "weights", {
    bind: {
      x: channels(gpu, x.storage, batch * area(image), cin),
      dy: channels(gpu, dy.storage, batch * area(output), cout),
      sums: sums.storage,
    },
    params: { ...extents(pass), splits, chunk },
    constants: { NARROW: Number(pass.cout === 4), GROUP },
    grid: gridFor(splits * tiles, GROUP),
  });
  const whole = splits === 1 ? sums : sumRows(gpu, sums.storage, splits, sums.size / splits, shape);
  const found = { storage: whole.storage, count: area(kernel), rows: pass.cin, columns: pass.cout };
  const isDone = cin === pass.cin && cout === pass.cout;
  return scope.keep(isDone ? whole : cropped(gpu, found, cin, [...kernel, cin, cout]));
}

/** Invocations that keep an adapter busy: a smaller gradient is summed in parts. */
const BUSY = 4096;

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
