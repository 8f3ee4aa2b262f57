import type { Grid } from "../../src/quantizer/mod.ts";
import {
  build,
  conv2d,
  filled,
  type NDArray,
  resizeArea,
  resizeBicubic,
} from "../support/reference.ts";

/**
 * The nearest code of each latent by L2 in float64, the lowest of equals, and by how much the second
 * nearest's half squared distance exceeds its own.
 */
export function nearestOf(z: ArrayLike<number>, codebook: ArrayLike<number>, channels: number) {
  const codes = codebook.length / channels;
  const tokens = z.length / channels;
  const indices: number[] = [];
  const gaps: number[] = [];
  for (let t = 0; t < tokens; t++) {
    let best = -1;
    let [least, second] = [Infinity, Infinity];
    for (let n = 0; n < codes; n++) {
      let distance = 0;
      for (let c = 0; c < channels; c++) {
        distance += (z[t * channels + c] - codebook[n * channels + c]) ** 2 / 2;
      }
      if (distance < least) [best, least, second] = [n, distance, least];
      else if (distance < second) second = distance;
    }
    indices.push(best);
    gaps.push(second - least);
  }
  return { indices, gaps };
}

/** φ of one scale: weight [3, 3, c, c] as it lies on the GPU, bias [c]. */
export interface PhiReference {
  weight: NDArray;
  bias: NDArray;
  ratio: number;
}

/** What a quantizer by distance is made of; without φ its scales are upsampled alone. */
export interface VqReference {
  codebook: NDArray;
  /** One a scale. */
  phis?: readonly PhiReference[];
}

/** The codes of each scale's tokens, coarse to fine. */
export function codesOf(f: NDArray, model: VqReference, grids: readonly Grid[]): number[][] {
  let residual = f;
  return grids.map(({ height, width }, scale) => {
    const r = resizeArea(residual, height, width);
    const { indices } = nearestOf(r.data, model.codebook.data, f.shape[3]);
    const h = upsampled(f.shape, model, indices, scale, { height, width });
    residual = combine(residual, h, (a, b) => a - b);
    return indices;
  });
}

/** f̂ after each scale, of given codes. */
export function latentsOf(
  shape: readonly number[],
  model: VqReference,
  codes: readonly number[][],
  grids: readonly Grid[],
): NDArray[] {
  let fHat = filled(shape, 0);
  return codes.map((indices, scale) =>
    fHat = combine(fHat, upsampled(shape, model, indices, scale, grids[scale]), (a, b) => a + b)
  );
}

/** Applies a function to the elements of two arrays of one shape. */
export function combine(a: NDArray, b: NDArray, of: (a: number, b: number) => number): NDArray {
  return { shape: a.shape, data: a.data.map((value, i) => of(value, b.data[i])) };
}

/** The mean squared difference. */
export function meanSquare(a: NDArray, b: NDArray): number {
  return combine(a, b, (x, y) => (x - y) ** 2).data.reduce((sum, x) => sum + x) / a.data.length;
}

function upsampled(
  [batch, height, width, channels]: readonly number[],
  { codebook, phis }: VqReference,
  indices: readonly number[],
  scale: number,
  grid: Grid,
): NDArray {
  const rows = build([batch, grid.height, grid.width, channels], ([b, y, x, c]) => {
    const token = (b * grid.height + y) * grid.width + x;
    return codebook.data[indices[token] * channels + c];
  });
  const h = resizeBicubic(rows, height, width);
  const phi = phis?.[scale];
  if (!phi) return h;
  const mended = conv2d(h, phi.weight, phi.bias, { padding: 1 });
  return combine(h, mended, (a, b) => (1 - phi.ratio) * a + phi.ratio * b);
}
