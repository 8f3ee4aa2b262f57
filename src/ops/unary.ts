import { defineKernel, gridFor } from "../gpu/mod.ts";
import { empty, record, type Tensor } from "../tensor/mod.ts";
import { expectDType } from "./check.ts";

const kernel = defineKernel("unary");

/** A row of the table: the function's number in the kernel, and what its derivative is computed from. */
interface Row {
  op: number;
  saves: "input" | "output";
}

const rows = {
  exp: { op: 0, saves: "output" },
  log: { op: 1, saves: "input" },
  sqrt: { op: 2, saves: "output" },
  rsqrt: { op: 3, saves: "output" },
  silu: { op: 4, saves: "input" },
  gelu: { op: 5, saves: "input" },
  relu: { op: 6, saves: "output" },
  leakyRelu: { op: 7, saves: "input" },
  sigmoid: { op: 8, saves: "output" },
  softplus: { op: 9, saves: "input" },
  clamp: { op: 10, saves: "input" },
  abs: { op: 11, saves: "input" },
  square: { op: 12, saves: "input" },
  tanh: { op: 13, saves: "output" },
} satisfies Record<string, Row>;

const AFFINE = 14;

function forward(x: Tensor, op: number, a: number, b: number): Tensor {
  const y = empty(x.gpu, x.shape);
  const quads = Math.ceil(x.size / 4);
  x.gpu.run(kernel, "forward", {
    bind: { x: x.storage, y: y.storage },
    params: { quads, a, b },
    constants: { OP: op },
    grid: gridFor(quads, 64),
  });
  return y;
}

function grad(saved: Tensor, dy: Tensor, op: number, a: number, b: number): Tensor {
  const dx = empty(dy.gpu, saved.shape);
  const quads = Math.ceil(dx.size / 4);
  dy.gpu.run(kernel, "grad", {
    bind: { x: saved.storage, dy: dy.storage, y: dx.storage },
    params: { quads, a, b },
    constants: { OP: op },
    grid: gridFor(quads, 64),
  });
  return dx;
}

function apply(name: keyof typeof rows, x: Tensor, a = 0, b = 0): Tensor {
  expectDType(name, "f32", { x });
  const { op, saves } = rows[name];
  const y = forward(x, op, a, b);
  return record(name, {
    inputs: [x],
    output: y,
    saved: [saves === "input" ? x : y],
    backward: (dy, [saved]) => [grad(saved, dy, op, a, b)],
  });
}

/**
 * `scale · x + shift` for two numbers, rounded as the adapter does it (once or twice).
 *
 * @throws {ShapeError} where x is not f32.
 *
 * @example
 * ```ts
 * import { affine, fromArray, Gpu } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const pixels = fromArray(gpu, [0, 127.5, 255], [3]);
 * console.log(await affine(pixels, 2 / 255, -1).read()); // -1, 0, 1
 * ```
 */
export function affine(x: Tensor, scale: number, shift: number): Tensor {
  expectDType("affine", "f32", { x });
  return record("affine", {
    inputs: [x],
    output: forward(x, AFFINE, scale, shift),
    backward: (dy) => [affine(dy, scale, 0)],
  });
}

/**
 * e to the power of every element.
 *
 * @throws {ShapeError} where x is not f32.
 *
 * @example
 * ```ts
 * import { exp, fromArray, Gpu } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * console.log(await exp(fromArray(gpu, [0, 1], [2])).read()); // 1, 2.718
 * ```
 */
export function exp(x: Tensor): Tensor {
  return apply("exp", x);
}

/**
 * The natural logarithm of every element: -Infinity at 0, NaN below.
 *
 * @throws {ShapeError} where x is not f32.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, log } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * console.log(await log(fromArray(gpu, [1, Math.E], [2])).read()); // 0, 1
 * ```
 */
export function log(x: Tensor): Tensor {
  return apply("log", x);
}

/**
 * The square root of every element. Its gradient at 0 is infinite.
 *
 * @throws {ShapeError} where x is not f32.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, sqrt } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * console.log(await sqrt(fromArray(gpu, [4, 9], [2])).read()); // 2, 3
 * ```
 */
export function sqrt(x: Tensor): Tensor {
  return apply("sqrt", x);
}

/**
 * One over the square root of every element.
 *
 * @throws {ShapeError} where x is not f32.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, rsqrt } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * console.log(await rsqrt(fromArray(gpu, [4, 16], [2])).read()); // 0.5, 0.25
 * ```
 */
export function rsqrt(x: Tensor): Tensor {
  return apply("rsqrt", x);
}

/**
 * SiLU, `x · sigmoid(x)` (Hendrycks & Gimpel 2016).
 *
 * @throws {ShapeError} where x is not f32.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, silu } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * console.log(await silu(fromArray(gpu, [-1, 0, 1], [3])).read()); // -0.269, 0, 0.731
 * ```
 */
export function silu(x: Tensor): Tensor {
  return apply("silu", x);
}

/**
 * GELU in its tanh form, `0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))` (Hendrycks & Gimpel 2016).
 *
 * @throws {ShapeError} where x is not f32.
 *
 * @example
 * ```ts
 * import { fromArray, gelu, Gpu } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * console.log(await gelu(fromArray(gpu, [-1, 0, 1], [3])).read()); // -0.159, 0, 0.841
 * ```
 */
export function gelu(x: Tensor): Tensor {
  return apply("gelu", x);
}

/**
 * `max(x, 0)`. Its gradient at 0 is 0.
 *
 * @throws {ShapeError} where x is not f32.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, relu } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * console.log(await relu(fromArray(gpu, [-1, 2], [2])).read()); // 0, 2
 * ```
 */
export function relu(x: Tensor): Tensor {
  return apply("relu", x);
}

/**
 * x where it is positive, else `slope · x` (Maas et al. 2013). Its gradient at 0 is the slope, by
 * default 0.2 as discriminators have it; PyTorch's default is 0.01.
 *
 * @throws {ShapeError} where x is not f32.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, leakyRelu } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * console.log(await leakyRelu(fromArray(gpu, [-1, 2], [2])).read()); // -0.2, 2
 * ```
 */
export function leakyRelu(x: Tensor, slope: number = 0.2): Tensor {
  return apply("leakyRelu", x, slope);
}

/**
 * The logistic function, `1 / (1 + e^-x)`.
 *
 * @throws {ShapeError} where x is not f32.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, sigmoid } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * console.log(await sigmoid(fromArray(gpu, [0, 2], [2])).read()); // 0.5, 0.881
 * ```
 */
export function sigmoid(x: Tensor): Tensor {
  return apply("sigmoid", x);
}

/**
 * `log(1 + e^x)`, without overflow at any x.
 *
 * @throws {ShapeError} where x is not f32.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, softplus } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * console.log(await softplus(fromArray(gpu, [0, 100], [2])).read()); // 0.693, 100
 * ```
 */
export function softplus(x: Tensor): Tensor {
  return apply("softplus", x);
}

/** The bounds of {@link clamp}; one that is left out does not bound. */
export interface ClampOptions {
  /** The smallest value. */
  min?: number;
  /** The largest value. */
  max?: number;
}

/**
 * Every element moved into [min, max]. The gradient is 1 inside, the bounds included, and 0 outside.
 *
 * @throws {ShapeError} where x is not f32.
 * @throws {RangeError} where min exceeds max.
 *
 * @example
 * ```ts
 * import { clamp, fromArray, Gpu } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const logVariance = fromArray(gpu, [-40, 0, 25], [3]);
 * console.log(await clamp(logVariance, { min: -30, max: 20 }).read()); // -30, 0, 20
 * ```
 */
export function clamp(
  x: Tensor,
  { min = -Infinity, max = Infinity }: ClampOptions = {},
): Tensor {
  if (!(min <= max)) throw new RangeError(`clamp: min ${min} is not at most max ${max}`);
  return apply("clamp", x, min, max);
}

/**
 * The absolute value of every element. Its gradient at 0 is 0.
 *
 * @throws {ShapeError} where x is not f32.
 *
 * @example
 * ```ts
 * import { abs, fromArray, Gpu } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * console.log(await abs(fromArray(gpu, [-3, 4], [2])).read()); // 3, 4
 * ```
 */
export function abs(x: Tensor): Tensor {
  return apply("abs", x);
}

/**
 * The square of every element.
 *
 * @throws {ShapeError} where x is not f32.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, square } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * console.log(await square(fromArray(gpu, [-3, 4], [2])).read()); // 9, 16
 * ```
 */
export function square(x: Tensor): Tensor {
  return apply("square", x);
}

/**
 * The hyperbolic tangent of every element.
 *
 * @throws {ShapeError} where x is not f32.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, tanh } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * console.log(await tanh(fromArray(gpu, [0, 1], [2])).read()); // 0, 0.762
 * ```
 */
export function tanh(x: Tensor): Tensor {
  return apply("tanh", x);
}

/**
 * Every element with the other sign.
 *
 * @throws {ShapeError} where x is not f32.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, neg } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * console.log(await neg(fromArray(gpu, [3, -4], [2])).read()); // -3, 4
 * ```
 */
export function neg(x: Tensor): Tensor {
  return affine(x, -1, 0);
}
