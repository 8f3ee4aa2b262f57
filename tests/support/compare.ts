import { type NDArray, unravel } from "./reference/ndarray.ts";

/** What can be read back from a device and compared: the library's Tensor is one. */
export interface Readable {
  readonly shape: readonly number[];
  read(): Promise<ArrayLike<number>>;
}

export interface CloseOptions {
  /** Largest ‖a−b‖/‖b‖ over all elements. Default 1e-5. */
  relative?: number;
  /**
   * Largest |a−b| of any single element. Default: 30 · relative · max|b|, so that one wrong element
   * cannot hide among many right ones.
   */
  absolute?: number;
  /** What to divide by where ‖b‖ is smaller. Default 1e-4 · √size. */
  floor?: number;
  /** What the numbers are, for the message. */
  name?: string;
  /** The shape, where neither side carries one, to name coordinates in the message. */
  shape?: readonly number[];
}

/** ‖a−b‖ / max(‖b‖, floor). */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>, floor = 1e-30): number {
  let difference = 0;
  let scale = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    scale += b[i] ** 2;
  }
  return Math.sqrt(difference) / Math.max(Math.sqrt(scale), floor);
}

/**
 * Throws unless `actual` equals `expected` up to float32 rounding: over all elements (`relative`) and
 * for each one (`absolute`). Shapes, where both sides have one, must be equal; NaN is never close;
 * an infinity is close only to itself. The message says how far off, and where the worst element is.
 */
export function assertClose(
  actual: ArrayLike<number> | NDArray,
  expected: ArrayLike<number> | NDArray,
  options: CloseOptions = {},
): void {
  const name = options.name ?? "values";
  const a = "data" in actual ? actual.data : actual;
  const b = "data" in expected ? expected.data : expected;
  const shape = "data" in expected ? expected.shape : options.shape ?? [b.length];
  if ("data" in actual && "data" in expected) assertShape(actual.shape, expected.shape, name);
  if (a.length !== b.length) {
    throw new Error(`${name}: ${a.length} elements, expected ${b.length} ([${shape}])`);
  }
  const { worst, offBy, norm, difference, largest } = measure(a, b, shape, name);
  const relative = options.relative ?? 1e-5;
  const floor = options.floor ?? 1e-4 * Math.sqrt(b.length);
  const allowed = options.absolute ?? 30 * relative * Math.max(largest, floor);
  const found = difference / Math.max(norm, floor);
  if (found <= relative && offBy <= allowed) return;
  throw new Error(
    `${name} [${shape}]: ‖a−b‖/‖b‖ = ${found.toExponential(2)} (allowed ${relative}), ` +
      `‖b‖ = ${norm.toPrecision(4)}; worst at ${where(worst, shape)}: found ${a[worst]}, ` +
      `expected ${b[worst]}, off by ${offBy.toExponential(2)} (allowed ${
        allowed.toExponential(2)
      })`,
  );
}

/** Reads a tensor back and compares its shape and its values with the expected ones. */
export async function assertTensorClose(
  actual: Readable,
  expected: NDArray,
  options: CloseOptions = {},
): Promise<void> {
  assertShape(actual.shape, expected.shape, options.name ?? "values");
  assertClose(await actual.read(), expected, options);
}

/** Throws unless every element is exactly equal (indices, copies, bits). */
export function assertSame(
  actual: ArrayLike<number> | NDArray,
  expected: ArrayLike<number> | NDArray,
  name = "values",
): void {
  const a = "data" in actual ? actual.data : actual;
  const b = "data" in expected ? expected.data : expected;
  const shape = "data" in expected ? expected.shape : [b.length];
  if ("data" in actual && "data" in expected) assertShape(actual.shape, expected.shape, name);
  if (a.length !== b.length) throw new Error(`${name}: ${a.length} elements, expected ${b.length}`);
  let wrong = 0;
  let first = -1;
  for (let i = 0; i < b.length; i++) {
    if (a[i] === b[i]) continue;
    if (wrong++ === 0) first = i;
  }
  if (wrong === 0) return;
  throw new Error(
    `${name} [${shape}]: ${wrong} of ${b.length} differ, the first at ${where(first, shape)}: ` +
      `found ${a[first]}, expected ${b[first]}`,
  );
}

/** Throws unless every element has the same bits: here −0 differs from 0, and NaN may equal NaN. */
export function assertBits(actual: Float32Array, expected: Float32Array, name = "values"): void {
  const [a, b] = [actual, expected].map(({ buffer, byteOffset, length }) =>
    new Uint32Array(buffer, byteOffset, length)
  );
  assertSame(a, b, `the bits of ${name}`);
}

/** Throws unless two shapes are equal. */
export function assertShape(
  actual: readonly number[],
  expected: readonly number[],
  name = "values",
): void {
  if (actual.length === expected.length && actual.every((n, axis) => n === expected[axis])) return;
  throw new Error(`${name}: shape [${actual}], expected [${expected}]`);
}

/** A coordinate such as [0, 2, 1] of a flat offset. */
export function where(offset: number, shape: readonly number[]): string {
  return `[${unravel(offset, shape).join(", ")}]`;
}

interface Measure {
  worst: number;
  offBy: number;
  norm: number;
  difference: number;
  largest: number;
}

/** The two norms and the worst element; throws at the first element that is not a number on one side only. */
function measure(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  shape: readonly number[],
  name: string,
): Measure {
  const found = { worst: 0, offBy: 0, norm: 0, difference: 0, largest: 0 };
  for (let i = 0; i < b.length; i++) {
    if (!Number.isFinite(a[i]) || !Number.isFinite(b[i])) {
      if (a[i] === b[i]) continue;
      throw new Error(`${name} [${shape}]: found ${a[i]} at ${where(i, shape)}, expected ${b[i]}`);
    }
    const distance = Math.abs(a[i] - b[i]);
    found.difference += distance ** 2;
    found.norm += b[i] ** 2;
    found.largest = Math.max(found.largest, Math.abs(b[i]));
    if (distance > found.offBy) {
      found.offBy = distance;
      found.worst = i;
    }
  }
  return {
    ...found,
    norm: Math.sqrt(found.norm),
    difference: Math.sqrt(found.difference),
  };
}
