import type { NDArray } from "./reference/ndarray.ts";

/** A direction in an array's space, as the elements that move and how far each does. */
export type Direction = readonly (readonly [offset: number, value: number])[];

/** The central difference of a function of an array, at `x` along a direction. */
export function slope(
  f: (x: NDArray) => number,
  x: NDArray,
  direction: Direction,
  step = 1e-5,
): number {
  const moved = (by: number): NDArray => {
    const data = x.data.slice();
    for (const [offset, value] of direction) data[offset] += by * value;
    return { shape: x.shape, data };
  };
  return (f(moved(step)) - f(moved(-step))) / (2 * step);
}

/** The derivatives of `f` by each of the elements at `offsets`. */
export function slopes(
  f: (x: NDArray) => number,
  x: NDArray,
  offsets: readonly number[],
  step = 1e-5,
): number[] {
  return offsets.map((offset) => slope(f, x, [[offset, 1]], step));
}

/** Σ a·b. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < b.length; i++) total += a[i] * b[i];
  return total;
}
