import { filled, type NDArray } from "./ndarray.ts";

/** For each output position along one axis, the input positions it reads and their weights. */
type Taps = { index: number; weight: number }[][];

/** Resamples [N, H, W, C] along H with one set of taps and along W with another. */
function separable(x: NDArray, rows: Taps, columns: Taps): NDArray {
  const [batch, height, width, channels] = x.shape;
  const y = filled([batch, rows.length, columns.length, channels], 0);
  for (let b = 0; b < batch; b++) {
    for (let oy = 0; oy < rows.length; oy++) {
      for (let ox = 0; ox < columns.length; ox++) {
        const out = ((b * rows.length + oy) * columns.length + ox) * channels;
        for (const row of rows[oy]) {
          for (const column of columns[ox]) {
            const source = ((b * height + row.index) * width + column.index) * channels;
            for (let c = 0; c < channels; c++) {
              y.data[out + c] += row.weight * column.weight * x.data[source + c];
            }
          }
        }
      }
    }
  }
  return y;
}

/** Every pixel of [N, H, W, C] repeated `factor` times along H and W. */
export function upsampleNearest(x: NDArray, factor: number): NDArray {
  const taps = (extent: number): Taps =>
    Array.from({ length: extent * factor }, (_, i) => [{
      index: Math.floor(i / factor),
      weight: 1,
    }]);
  return separable(x, taps(x.shape[1]), taps(x.shape[2]));
}

/** Adaptive average pooling: output i is the mean of inputs floor(i·n/m) up to ceil((i+1)·n/m). */
function areaTaps(from: number, to: number): Taps {
  return Array.from({ length: to }, (_, i) => {
    const start = Math.floor((i * from) / to);
    const end = Math.ceil(((i + 1) * from) / to);
    return Array.from({ length: end - start }, (_, j) => ({
      index: start + j,
      weight: 1 / (end - start),
    }));
  });
}

/** [N, H, W, C] to [N, height, width, C] as PyTorch's adaptive_avg_pool2d, any size to any size. */
export function resizeArea(x: NDArray, height: number, width: number): NDArray {
  return separable(x, areaTaps(x.shape[1], height), areaTaps(x.shape[2], width));
}

/** Keys' cubic convolution kernel (1981) with a = −0.75. */
function cubic(distance: number): number {
  const a = -0.75;
  const t = Math.abs(distance);
  if (t <= 1) return (a + 2) * t ** 3 - (a + 3) * t ** 2 + 1;
  if (t < 2) return a * t ** 3 - 5 * a * t ** 2 + 8 * a * t - 4 * a;
  return 0;
}

/** Four taps around (i + ½)·n/m − ½, positions beyond the edge clamped to it. */
function bicubicTaps(from: number, to: number): Taps {
  return Array.from({ length: to }, (_, i) => {
    const centre = ((i + 0.5) * from) / to - 0.5;
    const first = Math.floor(centre) - 1;
    return [0, 1, 2, 3].map((j) => ({
      index: Math.min(Math.max(first + j, 0), from - 1),
      weight: cubic(centre - (first + j)),
    }));
  });
}

/**
 * [N, H, W, C] to [N, height, width, C] as PyTorch's interpolate with mode "bicubic",
 * align_corners false and no antialias, any size to any size.
 */
export function resizeBicubic(x: NDArray, height: number, width: number): NDArray {
  return separable(x, bicubicTaps(x.shape[1], height), bicubicTaps(x.shape[2], width));
}

/** Two taps around (i + ½)·n/m − ½, positions beyond the edge clamped to it. */
function bilinearTaps(from: number, to: number): Taps {
  return Array.from({ length: to }, (_, i) => {
    const centre = ((i + 0.5) * from) / to - 0.5;
    const first = Math.floor(centre);
    return [0, 1].map((j) => ({
      index: Math.min(Math.max(first + j, 0), from - 1),
      weight: 1 - Math.abs(centre - (first + j)),
    }));
  });
}

/**
 * [N, H, W, C] to [N, height, width, C] as PyTorch's interpolate with mode "bilinear",
 * align_corners false and no antialias, any size to any size.
 */
export function resizeBilinear(x: NDArray, height: number, width: number): NDArray {
  return separable(x, bilinearTaps(x.shape[1], height), bilinearTaps(x.shape[2], width));
}
