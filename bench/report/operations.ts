import type { Gpu } from "../../src/gpu/mod.ts";
import { attention, conv2d, groupNorm, matmul, softmax } from "../../src/ops/mod.ts";
import { full, gradients, zeros } from "../../src/tensor/mod.ts";
import { noise } from "../support.ts";
import { nameOf, type Operation, workOf } from "./operation.ts";
import type { Row } from "./row.ts";

const MATMULS: Operation[] = [
  { op: "matmul", m: 512, k: 512, n: 512 },
  { op: "matmul", m: 1024, k: 1024, n: 1024 },
  { op: "matmul", m: 2048, k: 2048, n: 2048 },
  { op: "matmul", m: 4096, k: 32, n: 1024, transposeB: true }, // logits
  { op: "matmul", m: 128, k: 16384, n: 128, transposeA: true }, // a weight's gradient
];

const PASSES = ["forward", "input gradient", "weight gradient"] as const;

/** Channels at the extents that they have in an autoencoder's 256² image. */
const CONVOLUTIONS: [size: number, cin: number, cout: number, kernel: number, stride: number][] = [
  [64, 64, 64, 3, 1],
  [256, 128, 128, 3, 1],
  [64, 256, 256, 3, 1],
  [16, 512, 512, 3, 1],
  [32, 512, 512, 3, 1],
  [32, 512, 512, 1, 1],
  [128, 128, 128, 3, 2],
];

const OTHERS: Operation[] = [
  { op: "group_norm_silu", size: 256, channels: 128, groups: 32 },
  { op: "group_norm_silu", size: 32, channels: 512, groups: 32 },
  { op: "attention", tokens: 256, heads: 1, channels: 512 },
  { op: "attention", tokens: 1024, heads: 1, channels: 512 },
  { op: "attention", tokens: 4096, heads: 1, channels: 512 },
  { op: "softmax", rows: 1024, columns: 16384 },
];

/** The rows of single operations. */
export function operationRows(): Row[] {
  const convolutions = CONVOLUTIONS.flatMap(([size, cin, cout, kernel, stride]) =>
    PASSES.map((pass): Operation => ({ op: "conv2d", size, cin, cout, kernel, stride, pass }))
  );
  return [
    ...MATMULS.map((operation) => rowOf("Matmul", operation)),
    ...convolutions.map((operation) => rowOf("Convolution", operation)),
    ...OTHERS.map((operation) => rowOf("Norm, attention, softmax", operation)),
  ];
}

function rowOf(group: string, operation: Operation): Row {
  return {
    group,
    name: nameOf(operation),
    operation,
    prepare: (gpu) => ({ ...workOf(operation), call: callOf(gpu, operation) }),
  };
}

/** Makes the operands and returns the operation on them. */
function callOf(gpu: Gpu, operation: Operation): () => void {
  switch (operation.op) {
    case "matmul": {
      const { m, k, n, transposeA, transposeB } = operation;
      const a = noise(gpu, transposeA ? [k, m] : [m, k], 1);
      const b = noise(gpu, transposeB ? [n, k] : [k, n], 2);
      return () => void matmul(a, b, { transposeA, transposeB });
    }
    case "conv2d":
      return convolution(gpu, operation);
    case "group_norm_silu": {
      const { size, channels, groups } = operation;
      const x = noise(gpu, [1, size, size, channels]);
      const [gamma, beta] = [full(gpu, [channels], 1), zeros(gpu, [channels])];
      return () => void groupNorm(x, gamma, beta, { groups, silu: true });
    }
    case "attention": {
      const { tokens, heads, channels } = operation;
      const [q, k, v] = [1, 2, 3].map((seed) => noise(gpu, [1, tokens, channels], seed));
      return () => void attention(q, k, v, { heads });
    }
    case "softmax": {
      const x = noise(gpu, [operation.rows, operation.columns]);
      return () => void softmax(x);
    }
  }
}

function convolution(
  gpu: Gpu,
  { size, cin, cout, kernel, stride, pass }: Operation & { op: "conv2d" },
): () => void {
  const x = noise(gpu, [1, size, size, cin], 1);
  const weight = noise(gpu, [kernel, kernel, cin, cout], 2);
  const options = { stride, padding: (kernel - 1) / 2 };
  if (pass === "forward") return () => void conv2d(x, weight, undefined, options);
  const wanted = pass === "input gradient" ? x : weight;
  wanted.requireGrad();
  const y = conv2d(x, weight, undefined, options);
  const seed = noise(gpu, y.shape, 3);
  return () => void gradients(y, [wanted], { seed, retain: true });
}
