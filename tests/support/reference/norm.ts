import { filled, type NDArray, sizeOf } from "./ndarray.ts";

/** Subtracts the mean of each set of offsets and divides by √(variance + eps). */
function standardize(x: NDArray, sets: Iterable<number[]>, eps: number): NDArray {
  const y = filled(x.shape, 0);
  for (const set of sets) {
    const mean = set.reduce((total, i) => total + x.data[i], 0) / set.length;
    const variance = set.reduce((total, i) => total + (x.data[i] - mean) ** 2, 0) / set.length;
    for (const i of set) y.data[i] = (x.data[i] - mean) / Math.sqrt(variance + eps);
  }
  return y;
}

/** Multiplies by a weight and adds a bias, each one number per channel (the last axis), or null. */
function affine(x: NDArray, gamma: NDArray | null, beta: NDArray | null): NDArray {
  const channels = x.shape[x.shape.length - 1];
  return {
    shape: [...x.shape],
    data: x.data.map((value, i) =>
      value * (gamma ? gamma.data[i % channels] : 1) + (beta ? beta.data[i % channels] : 0)
    ),
  };
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Group normalisation over [N, ..., C] (Wu & He 2018): statistics over space and a group's channels. */
export function groupNorm(
  x: NDArray,
  gamma: NDArray | null,
  beta: NDArray | null,
  options: { groups: number; eps?: number },
): NDArray {
  const { groups, eps = 1e-6 } = options;
  const channels = x.shape[x.shape.length - 1];
  if (channels % groups !== 0) {
    throw new RangeError(`groupNorm: ${channels} channels, ${groups} groups`);
  }
  const perImage = sizeOf(x.shape.slice(1));
  const width = channels / groups;
  const sets: number[][] = [];
  for (let image = 0; image < x.shape[0]; image++) {
    for (let group = 0; group < groups; group++) {
      sets.push(
        range(perImage)
          .filter((i) => Math.floor((i % channels) / width) === group)
          .map((i) => image * perImage + i),
      );
    }
  }
  return affine(standardize(x, sets, eps), gamma, beta);
}

/** Layer normalisation over the last axis (Ba et al. 2016). */
export function layerNorm(
  x: NDArray,
  gamma: NDArray | null,
  beta: NDArray | null,
  options: { eps?: number } = {},
): NDArray {
  const channels = x.shape[x.shape.length - 1];
  const rows = range(x.data.length / channels);
  const sets = rows.map((row) => range(channels).map((i) => row * channels + i));
  return affine(standardize(x, sets, options.eps ?? 1e-5), gamma, beta);
}

/** Batch normalisation by the batch's own statistics over all axes but the last (Ioffe & Szegedy 2015). */
export function batchNorm(
  x: NDArray,
  gamma: NDArray | null,
  beta: NDArray | null,
  options: { eps?: number } = {},
): NDArray {
  const channels = x.shape[x.shape.length - 1];
  const rows = range(x.data.length / channels);
  const sets = range(channels).map((channel) => rows.map((row) => row * channels + channel));
  return affine(standardize(x, sets, options.eps ?? 1e-5), gamma, beta);
}

/** RMS normalisation over the last axis (Zhang & Sennrich 2019): x / √(mean(x²) + eps) · gamma. */
export function rmsNorm(
  x: NDArray,
  gamma: NDArray | null,
  options: { eps?: number } = {},
): NDArray {
  const channels = x.shape[x.shape.length - 1];
  const eps = options.eps ?? 1e-5;
  const y = filled(x.shape, 0);
  for (let start = 0; start < x.data.length; start += channels) {
    const row = x.data.subarray(start, start + channels);
    const meanSquare = row.reduce((total, v) => total + v * v, 0) / channels;
    for (let i = 0; i < channels; i++) y.data[start + i] = row[i] / Math.sqrt(meanSquare + eps);
  }
  return affine(y, gamma, null);
}
