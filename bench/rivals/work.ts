import { noiseValues } from "../support.ts";

/** One row of the comparison: the same numbers go through the same mathematics in each library. */
export type Work =
  & { name: string; calls: number }
  & (
    | { op: "matmul"; size: number }
    | { op: "conv2d"; size: number; channels: number }
    | { op: "weightGradient"; size: number; channels: number }
    | { op: "groupNorm"; size: number; channels: number }
    | { op: "attention"; tokens: number; channels: number }
    | { op: "softmax"; rows: number; columns: number }
  );

/** Groups of the group norm's channels, and what is added to their variance. */
export const GROUPS = 32;
export const EPS = 1e-6;

/** The rows. `calls` go to the GPU before each wait for it, which hides what the wait costs. */
export const works: readonly Work[] = [
  { name: "matmul 512³", op: "matmul", size: 512, calls: 8 },
  { name: "matmul 1024³", op: "matmul", size: 1024, calls: 2 },
  { name: "conv3×3 64→64 at 64²", op: "conv2d", size: 64, channels: 64, calls: 8 },
  { name: "conv3×3 128→128 at 64²", op: "conv2d", size: 64, channels: 128, calls: 2 },
  {
    name: "weight gradient of conv3×3 64→64 at 64²",
    op: "weightGradient",
    size: 64,
    channels: 64,
    calls: 2,
  },
  {
    name: "group norm and SiLU, 128 at 128²",
    op: "groupNorm",
    size: 128,
    channels: 128,
    calls: 8,
  },
  { name: "attention, 1024 tokens of 128", op: "attention", tokens: 1024, channels: 128, calls: 4 },
  { name: "softmax 1024×16384", op: "softmax", rows: 1024, columns: 16384, calls: 3 },
];

/** An operand: its extents, and its values in row-major order. */
export interface Operand {
  shape: number[];
  values: Float32Array;
}

/**
 * The operands: matrices; an NHWC image and its [kH, kW, Cin, Cout] weight, or the gradient of the
 * convolution's result, or what its channels are scaled and shifted by; queries, keys and values
 * [1, tokens, channels]; logits.
 */
export function operands(work: Work): Operand[] {
  switch (work.op) {
    case "matmul":
      return [operand([work.size, work.size], 1), operand([work.size, work.size], 2)];
    case "conv2d":
      return [
        operand([1, work.size, work.size, work.channels], 1),
        operand([3, 3, work.channels, work.channels], 2),
      ];
    case "weightGradient":
      return [1, 2].map((seed) => operand([1, work.size, work.size, work.channels], seed));
    case "groupNorm":
      return [
        operand([1, work.size, work.size, work.channels], 1),
        operand([work.channels], 2),
        operand([work.channels], 3),
      ];
    case "attention":
      return [1, 2, 3].map((seed) => operand([1, work.tokens, work.channels], seed));
    case "softmax":
      return [operand([work.rows, work.columns], 1)];
  }
}

function operand(shape: number[], seed: number): Operand {
  const size = shape.reduce((product, length) => product * length, 1);
  return { shape, values: noiseValues(size, seed) };
}

/** Which elements of a result of `count` are compared: spread over all of it. */
export function sampled(count: number): number[] {
  const wanted = 997;
  return Array.from({ length: wanted }, (_, i) => Math.floor(i * (count - 1) / (wanted - 1)));
}
