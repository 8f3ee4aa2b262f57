import { type Shape, ShapeError, shapeText } from "../tensor/mod.ts";

/** The most axes that a strided kernel walks after neighbouring ones were merged. */
export const MAX_RANK = 6;

/**
 * The shape that two shapes broadcast to, by NumPy's rule: aligned at the last axis, lengths are
 * equal or one of them is 1.
 *
 * @throws {ShapeError} naming `op` where they do not fit.
 */
export function broadcastShape(op: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const m = a[axis - rank + a.length] ?? 1;
    const n = b[axis - rank + b.length] ?? 1;
    if (m !== n && m !== 1 && n !== 1) {
      throw new ShapeError(
        op,
        `${shapeText(a)} and ${shapeText(b)} do not broadcast: ` +
          "aligned at the last axis, lengths must be equal or 1",
      );
    }
    return m === 1 ? n : m;
  });
}

/** Elements to step over for one step along each axis of a contiguous tensor. */
export function stridesOf(shape: Shape): number[] {
  const strides = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) {
    strides[axis] = strides[axis + 1] * shape[axis + 1];
  }
  return strides;
}

/** The strides with which a tensor of `shape` is read as if it had the shape `to`: 0 where it repeats. */
export function broadcastStrides(shape: Shape, to: Shape): number[] {
  const own = stridesOf(shape);
  return to.map((_, axis) => {
    const at = axis - to.length + shape.length;
    return at < 0 || shape[at] === 1 ? 0 : own[at];
  });
}

/** A walk over a shape in row-major order, with the strides of each operand. */
export interface Walk {
  /** The lengths of the axes, outermost first; at least one. */
  shape: number[];
  /** For each operand, its stride along each axis. */
  strides: number[][];
}

/** The same walk with as few axes as possible: those of length 1 dropped, neighbours merged. */
export function mergeAxes(shape: Shape, strides: readonly (readonly number[])[]): Walk {
  const merged: Walk = { shape: [], strides: strides.map(() => []) };
  shape.forEach((length, axis) => {
    if (length === 1) return;
    const last = merged.shape.length - 1;
    const joins = last >= 0 &&
      strides.every((own, i) => merged.strides[i][last] === own[axis] * length);
    if (joins) {
      merged.shape[last] *= length;
      strides.forEach((own, i) => merged.strides[i][last] = own[axis]);
    } else {
      merged.shape.push(length);
      strides.forEach((own, i) => merged.strides[i].push(own[axis]));
    }
  });
  if (merged.shape.length > 0) return merged;
  return { shape: [1], strides: strides.map(() => [0]) };
}

/**
 * A walk's numbers as kernel parameters: `d0`, `d1`, ... for the lengths and a letter per operand for
 * its strides (`a0`, `a1`, ...), where 0 is the innermost axis and missing axes have length 1.
 *
 * @throws {ShapeError} naming `op` where more than six axes remain.
 */
export function walkParams(op: string, walk: Walk, letters: string): Record<string, number> {
  const rank = walk.shape.length;
  if (rank > MAX_RANK) {
    throw new ShapeError(
      op,
      `${rank} axes that do not merge, expected at most ${MAX_RANK}: permute or reshape first`,
    );
  }
  const params: Record<string, number> = {};
  for (let i = 0; i < MAX_RANK; i++) {
    const axis = rank - 1 - i;
    params[`d${i}`] = walk.shape[axis] ?? 1;
    [...letters].forEach((letter, operand) =>
      params[`${letter}${i}`] = walk.strides[operand][axis] ?? 0
    );
  }
  return params;
}
