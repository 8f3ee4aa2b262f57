import { mul } from "./elementwise.ts";
import { matmul } from "./matmul.ts";
import { filled, nd, type NDArray } from "./ndarray.ts";

/** log(e^x / Σ e^x) over the last axis. */
export function logSoftmax(x: NDArray): NDArray {
  const width = x.shape[x.shape.length - 1];
  const y = filled(x.shape, 0);
  for (let start = 0; start < x.data.length; start += width) {
    const row = x.data.subarray(start, start + width);
    const largest = row.reduce((a, b) => Math.max(a, b), -Infinity);
    const logTotal = Math.log(row.reduce((total, v) => total + Math.exp(v - largest), 0));
    for (let i = 0; i < width; i++) y.data[start + i] = row[i] - largest - logTotal;
  }
  return y;
}

/** e^x / Σ e^x over the last axis. */
export function softmax(x: NDArray): NDArray {
  const y = logSoftmax(x);
  return { shape: y.shape, data: y.data.map(Math.exp) };
}

/**
 * softmax(q kᵀ · scale) v with the scale 1/√D unless given: [B, T, D] for one head,
 * [B, heads, T, D] for several. k and v may have another T than q, and v another D than k.
 */
export function attention(
  q: NDArray,
  k: NDArray,
  v: NDArray,
  options: { scale?: number } = {},
): NDArray {
  const scale = options.scale ?? 1 / Math.sqrt(q.shape[q.shape.length - 1]);
  const scores = matmul(q, k, { transposeB: true });
  return matmul(softmax(mul(scores, nd([], [scale]))), v);
}
