import { noiseValues } from "../support.ts";

/** One row of the comparison: the same numbers go through the same mathematics in each library. */
export type Work =
  & { name: string; calls: number }
  & (
    | { op: "matmul"; size: number }
    | { op: "conv2d"; size: number; channels: number }
    | { op: "softmax"; rows: number; columns: number }
  );

/** The rows. `calls` go to the GPU before each wait for it, which hides what the wait costs. */
export const works: readonly Work[] = [
  { name: "matmul 512³", op: "matmul", size: 512, calls: 8 },
  { name: "matmul 1024³", op: "matmul", size: 1024, calls: 2 },
  { name: "conv3×3 64→64 at 64²", op: "conv2d", size: 64, channels: 64, calls: 8 },
  { name: "conv3×3 128→128 at 64²", op: "conv2d", size: 64, channels: 128, calls: 2 },
  { name: "softmax 1024×16384", op: "softmax", rows: 1024, columns: 16384, calls: 3 },
];

/** An operand: its extents, and its values in row-major order. */
export interface Operand {
  shape: number[];
  values: Float32Array;
}

/** The operands: matrices, an NHWC image and its [kH, kW, Cin, Cout] weight, or logits. */
export function operands(work: Work): Operand[] {
  switch (work.op) {
    case "matmul":
      return [operand([work.size, work.size], 1), operand([work.size, work.size], 2)];
    case "conv2d":
      return [
        operand([1, work.size, work.size, work.channels], 1),
        operand([3, 3, work.channels, work.channels], 2),
      ];
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
