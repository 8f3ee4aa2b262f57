import { filled, type NDArray, sizeOf, stridesOf } from "./ndarray.ts";

/** The shape two shapes broadcast to, by NumPy's rule: align at the right, an extent of 1 stretches. */
export function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const m = a[axis - rank + a.length] ?? 1;
    const n = b[axis - rank + b.length] ?? 1;
    if (m !== n && m !== 1 && n !== 1) throw new RangeError(`[${a}] and [${b}] do not broadcast`);
    return m === 1 ? n : m;
  });
}

/** The array repeated along its missing axes and those of extent 1. */
export function broadcastTo(x: NDArray, shape: readonly number[]): NDArray {
  const padded = [...Array(shape.length - x.shape.length).fill(1), ...x.shape];
  const from = stridesOf(padded).map((stride, axis) => (padded[axis] === 1 ? 0 : stride));
  const to = stridesOf(shape);
  const y = filled(shape, 0);
  for (let i = 0; i < sizeOf(shape); i++) {
    let source = 0;
    for (let axis = 0; axis < shape.length; axis++) {
      source += (Math.floor(i / to[axis]) % shape[axis]) * from[axis];
    }
    y.data[i] = x.data[source];
  }
  return y;
}

function binary(a: NDArray, b: NDArray, f: (a: number, b: number) => number): NDArray {
  const shape = broadcastShape(a.shape, b.shape);
  const left = broadcastTo(a, shape).data;
  const right = broadcastTo(b, shape).data;
  return { shape, data: left.map((value, i) => f(value, right[i])) };
}

/** Applies a function of one number to every element. */
export function map(x: NDArray, f: (x: number) => number): NDArray {
  return { shape: [...x.shape], data: x.data.map((value) => f(value)) };
}

export const add = (a: NDArray, b: NDArray): NDArray => binary(a, b, (x, y) => x + y);
export const sub = (a: NDArray, b: NDArray): NDArray => binary(a, b, (x, y) => x - y);
export const mul = (a: NDArray, b: NDArray): NDArray => binary(a, b, (x, y) => x * y);
export const div = (a: NDArray, b: NDArray): NDArray => binary(a, b, (x, y) => x / y);
export const maximum = (a: NDArray, b: NDArray): NDArray => binary(a, b, Math.max);
export const minimum = (a: NDArray, b: NDArray): NDArray => binary(a, b, Math.min);

const logistic = (x: number): number => 1 / (1 + Math.exp(-x));
// log(1 + e^x) without overflow for large x and without cancellation for small x.
const log1pExp = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const tanhGelu = (x: number): number =>
  0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

export const exp = (x: NDArray): NDArray => map(x, Math.exp);
export const log = (x: NDArray): NDArray => map(x, Math.log);
export const sqrt = (x: NDArray): NDArray => map(x, Math.sqrt);
export const rsqrt = (x: NDArray): NDArray => map(x, (v) => 1 / Math.sqrt(v));
export const abs = (x: NDArray): NDArray => map(x, Math.abs);
export const square = (x: NDArray): NDArray => map(x, (v) => v * v);
export const neg = (x: NDArray): NDArray => map(x, (v) => -v);
export const sigmoid = (x: NDArray): NDArray => map(x, logistic);
export const silu = (x: NDArray): NDArray => map(x, (v) => v * logistic(v));
export const softplus = (x: NDArray): NDArray => map(x, log1pExp);
/** GELU in its tanh form (Hendrycks & Gimpel 2016). */
export const gelu = (x: NDArray): NDArray => map(x, tanhGelu);
export const relu = (x: NDArray): NDArray => map(x, (v) => Math.max(v, 0));
export const leakyRelu = (x: NDArray, slope = 0.2): NDArray =>
  map(x, (v) => (v > 0 ? v : slope * v));
export const clamp = (x: NDArray, min: number, max: number): NDArray =>
  map(x, (v) => Math.min(Math.max(v, min), max));
