/** One operation by its shapes alone: what any library can be asked to time. Images are NHWC. */
export type Operation =
  | { op: "matmul"; m: number; k: number; n: number; transposeA?: boolean; transposeB?: boolean }
  | {
    op: "conv2d";
    size: number;
    cin: number;
    cout: number;
    kernel: number;
    stride: number;
    /** What is timed alone: the result, or the gradient of the image or of the weight. */
    pass: "forward" | "input gradient" | "weight gradient";
  }
  | { op: "group_norm_silu"; size: number; channels: number; groups: number }
  | { op: "attention"; tokens: number; heads: number; channels: number }
  | { op: "softmax"; rows: number; columns: number };

/** What an operation needs at least; one of both is what limits it. */
export interface Work {
  /** Floating point operations as the plain algorithm counts them, a multiply-add being two. */
  flop?: number;
  /** Bytes, where reading the operands and writing the result is what counts. */
  bytes?: number;
}

const BYTES_PER_FLOAT = 4;

/** The work of an operation; the three passes of a convolution have the same. */
export function workOf(operation: Operation): Work {
  switch (operation.op) {
    case "matmul":
      return { flop: 2 * operation.m * operation.k * operation.n };
    case "conv2d": {
      const { size, cin, cout, kernel, stride } = operation;
      return { flop: 2 * Math.ceil(size / stride) ** 2 * kernel ** 2 * cin * cout };
    }
    case "attention":
      return { flop: 4 * operation.tokens ** 2 * operation.channels };
    case "group_norm_silu":
      return { bytes: 2 * BYTES_PER_FLOAT * operation.size ** 2 * operation.channels };
    case "softmax":
      return { bytes: 2 * BYTES_PER_FLOAT * operation.rows * operation.columns };
  }
}

/** Its name in the tables. */
export function nameOf(operation: Operation): string {
  switch (operation.op) {
    case "matmul": {
      const { m, k, n, transposeA, transposeB } = operation;
      if (m === k && k === n) return `${m}³`;
      const a = transposeA ? `[${k}, ${m}]ᵀ` : `[${m}, ${k}]`;
      const b = transposeB ? `[${n}, ${k}]ᵀ` : `[${k}, ${n}]`;
      return `${a} · ${b}`;
    }
    case "conv2d": {
      const { size, cin, cout, kernel, stride, pass } = operation;
      const steps = stride > 1 ? `, stride ${stride}` : "";
      return `${kernel}×${kernel}${steps}, ${cin}→${cout} at ${size}², ${pass}`;
    }
    case "attention":
      return `attention, ${operation.tokens} tokens of ${operation.channels}`;
    case "group_norm_silu":
      return `group norm + SiLU, ${operation.channels} channels at ${operation.size}²`;
    case "softmax":
      return `softmax, ${operation.rows} × ${operation.columns}`;
  }
}
