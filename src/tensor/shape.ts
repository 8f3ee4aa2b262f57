import { ShapeError } from "./errors.ts";

/** The lengths of a tensor's axes, outermost first. */
export type Shape = readonly number[];

/** How many elements a shape holds; 1 for the shape of a scalar, `[]`. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((size, length) => size * length, 1);
}

/** Whether two shapes are the same. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}

/** A shape as errors print it: `[2, 3]`. */
export function shapeText(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/**
 * An axis counted from the front, where a negative one counts from the back.
 *
 * @throws {RangeError} where the shape has no such axis.
 */
export function normalizeAxis(op: string, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new RangeError(`${op}: axis ${axis} is out of range for ${rank} axes`);
  }
  return axis < 0 ? axis + rank : axis;
}

/** Throws unless every length is a whole number of at least 0. */
export function checkShape(op: string, shape: Shape): void {
  if (shape.some((length) => !Number.isSafeInteger(length) || length < 0)) {
    throw new ShapeError(
      op,
      `${shapeText(shape)} is no shape: lengths are whole numbers from 0 up`,
    );
  }
}
