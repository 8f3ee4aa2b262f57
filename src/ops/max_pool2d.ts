import { defineKernel, gridFor } from "../gpu/mod.ts";
import { empty, record, ShapeError, shapeText, type Tensor } from "../tensor/mod.ts";

const kernel = defineKernel("max_pool");

/** The geometry of a {@link maxPool2d}. */
export interface MaxPool2dOptions {
  /** Height and width of a window, in pixels. */
  kernel: number;
  /** Pixels from one window to the next, along both axes; by default windows lie side by side. */
  stride?: number;
  /** Pixels around the image that count for nothing; at most half of the kernel; default 0. */
  padding?: number;
}

/**
 * The largest value of every window of `x` [N, H, W, C], channel by channel, to [N, H', W', C] with
 * H' = ⌊(H + 2·padding − kernel) / stride⌋ + 1, as PyTorch's `max_pool2d`. What is left over at the end
 * of an axis is not looked at. Of equal values the first, row by row, gets the gradient.
 *
 * @throws {ShapeError} where `x` is no f32 [N, H, W, C], or the window is larger than the padded image.
 * @throws {RangeError} where kernel or stride is no whole number of at least 1, or the padding is none
 * from 0 to half of the kernel.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, maxPool2d } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [1, 5, 2, 0, 3, 4, 8, 6], [1, 2, 4, 1]);
 * console.log(await maxPool2d(x, { kernel: 2 }).read()); // 5, 8
 * ```
 */
export function maxPool2d(x: Tensor, options: MaxPool2dOptions): Tensor {
  const pool = poolOf(x, options);
  return record("maxPool2d", {
    inputs: [x],
    output: forward(x, pool),
    saved: [x],
    backward: (dy, [x]) => [grad(x, dy, pool)],
  });
}

/** What every dispatch of one pooling has in common. */
interface Pool {
  output: [height: number, width: number];
  kernel: number;
  stride: number;
  padding: number;
}

function poolOf(
  x: Tensor,
  { kernel, stride = kernel, padding = 0 }: MaxPool2dOptions,
): Pool {
  if (x.dtype !== "f32" || x.rank !== 4) {
    const found = `${x.dtype} ${shapeText(x.shape)}`;
    throw new ShapeError("maxPool2d", `x must be f32 [N, H, W, C], found ${found}`);
  }
  for (const [name, value] of Object.entries({ kernel, stride })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new RangeError(`maxPool2d: ${name} ${value} is no whole number of at least 1`);
    }
  }
  if (!Number.isInteger(padding) || padding < 0 || padding > kernel / 2) {
    throw new RangeError(
      `maxPool2d: padding ${padding} is no whole number from 0 to half of the kernel, ${kernel}`,
    );
  }
  const count = (length: number) => Math.floor((length + 2 * padding - kernel) / stride) + 1;
  const [height, width] = [count(x.shape[1]), count(x.shape[2])];
  if (x.shape[1] < 1 || x.shape[2] < 1 || height < 1 || width < 1) {
    throw new ShapeError(
      "maxPool2d",
      `x ${shapeText(x.shape)}: a window of ${kernel}×${kernel} is larger than the padded image`,
    );
  }
  return { output: [height, width], kernel, stride, padding };
}

function forward(x: Tensor, pool: Pool): Tensor {
  const [images, , , channels] = x.shape;
  const y = empty(x.gpu, [images, ...pool.output, channels]);
  const { vector, params, grid } = dispatch(x, y, pool);
  x.gpu.run(kernel, vector ? "forward4" : "forward1", {
    bind: vector ? { x4: x.storage, y4: y.storage } : { x: x.storage, y: y.storage },
    params,
    grid,
  });
  return y;
}

function grad(x: Tensor, dy: Tensor, pool: Pool): Tensor {
  const dx = empty(x.gpu, x.shape);
  const { vector, params, grid } = dispatch(x, dx, pool);
  x.gpu.run(kernel, vector ? "grad4" : "grad1", {
    bind: vector
      ? { x4: x.storage, dy4: dy.storage, y4: dx.storage }
      : { x: x.storage, dy: dy.storage, y: dx.storage },
    params,
    grid,
  });
  return dx;
}

/** A thread for each element of `result`, or for four channels where that goes. */
function dispatch(x: Tensor, result: Tensor, { output, kernel, stride, padding }: Pool) {
  const [, height, width, channels] = x.shape;
  const vector = channels % 4 === 0;
  const size = vector ? result.size / 4 : result.size;
  const lanes = vector ? channels / 4 : channels;
  const [out_height, out_width] = output;
  const params = { size, lanes, height, width, out_height, out_width, kernel, stride, padding };
  return { vector, params, grid: gridFor(size, 64) };
}
