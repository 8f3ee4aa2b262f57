import { axisOf, filled, type NDArray, ravel, sizeOf, unravel } from "./ndarray.ts";

export interface ReduceOptions {
  /** Which axes to reduce, negative ones counted from the end; all of them unless given. */
  axes?: readonly number[];
  /** Whether the reduced axes stay, with extent 1. */
  keepDims?: boolean;
}

/** Folds the elements that share an output position, in row-major order. */
function reduce(
  x: NDArray,
  options: ReduceOptions,
  initial: number,
  fold: (total: number, value: number) => number,
): NDArray {
  const rank = x.shape.length;
  const axes = (options.axes ?? x.shape.map((_, axis) => axis)).map((axis) => axisOf(axis, rank));
  const kept = x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
  const y = filled(kept, initial);
  for (let i = 0; i < x.data.length; i++) {
    const index = unravel(i, x.shape).map((position, axis) => axes.includes(axis) ? 0 : position);
    const out = ravel(index, kept);
    y.data[out] = fold(y.data[out], x.data[i]);
  }
  const shape = options.keepDims ? kept : x.shape.filter((_, axis) => !axes.includes(axis));
  return { shape, data: y.data };
}

export function sum(x: NDArray, options: ReduceOptions = {}): NDArray {
  return reduce(x, options, 0, (total, value) => total + value);
}

export function mean(x: NDArray, options: ReduceOptions = {}): NDArray {
  const total = sum(x, options);
  const count = x.data.length / sizeOf(total.shape);
  return { shape: total.shape, data: total.data.map((value) => value / count) };
}

export function max(x: NDArray, options: ReduceOptions = {}): NDArray {
  return reduce(x, options, -Infinity, Math.max);
}

export function min(x: NDArray, options: ReduceOptions = {}): NDArray {
  return reduce(x, options, Infinity, Math.min);
}

/** The index of the largest element along one axis; the lowest index where several are equal. */
export function argmax(x: NDArray, options: { axis?: number; keepDims?: boolean } = {}): NDArray {
  const axis = axisOf(options.axis ?? -1, x.shape.length);
  const best = max(x, { axes: [axis], keepDims: true });
  const y = filled(best.shape, -1);
  for (let i = 0; i < x.data.length; i++) {
    const index = unravel(i, x.shape);
    const position = index[axis];
    index[axis] = 0;
    const out = ravel(index, best.shape);
    if (y.data[out] === -1 && x.data[i] === best.data[out]) y.data[out] = position;
  }
  const shape = options.keepDims ? best.shape : x.shape.filter((_, a) => a !== axis);
  return { shape, data: y.data };
}
