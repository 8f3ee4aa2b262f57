import { at, build, type NDArray } from "./ndarray.ts";

export interface MaxPool2dOptions {
  kernel: number;
  stride?: number;
  padding?: number;
}

/** The largest value of every window of [N, H, W, C]; what lies in the padding counts for nothing. */
export function maxPool2d(
  x: NDArray,
  { kernel, stride = kernel, padding = 0 }: MaxPool2dOptions,
): NDArray {
  const [batch, height, width, channels] = x.shape;
  const count = (length: number) => Math.floor((length + 2 * padding - kernel) / stride) + 1;
  return build([batch, count(height), count(width), channels], ([b, row, column, c]) => {
    let best = -Infinity;
    for (let i = 0; i < kernel * kernel; i++) {
      const r = row * stride - padding + Math.floor(i / kernel);
      const k = column * stride - padding + i % kernel;
      if (r < 0 || r >= height || k < 0 || k >= width) continue;
      best = Math.max(best, at(x, [b, r, k, c]));
    }
    return best;
  });
}
