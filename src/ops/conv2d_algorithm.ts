import { sameShape } from "../tensor/mod.ts";
import type { Geometry } from "./convolve.ts";

/** How a convolution is computed: as it is defined, or by Winograd's F(4×4, 3×3). */
export type ConvolutionAlgorithm = "direct" | "winograd";

/** Channels, on the side that has fewer, from which on transforms cost less than they save. */
const WORTHWHILE = 16;

let forced: ConvolutionAlgorithm | undefined;

/**
 * The algorithm of a convolution and of its gradients. It is the same on every adapter, and for every
 * batch and image size, since the two differ in the last bits.
 */
export function algorithmFor(geometry: Geometry): ConvolutionAlgorithm {
  const { kernel, stride, top, left, cin, cout } = geometry;
  if (!sameShape(kernel, [3, 3]) || stride > 1 || Math.max(top, left) > 2) return "direct";
  return forced ?? (Math.min(cin, cout) >= WORTHWHILE ? "winograd" : "direct");
}

/** Runs `work` with one algorithm wherever it can be used, so that a test reaches both. */
export async function withConvolution<T>(
  algorithm: ConvolutionAlgorithm,
  work: () => T | Promise<T>,
): Promise<T> {
  const before = forced;
  forced = algorithm;
  try {
    return await work();
  } finally {
    forced = before;
  }
}
