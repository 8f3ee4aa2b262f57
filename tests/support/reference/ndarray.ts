/**
 * A float64 array with a shape: all the reference needs. Row-major and contiguous, as the library's
 * own tensors are. Everything built on it is written to be read, not to be fast.
 */
export interface NDArray {
  shape: number[];
  data: Float64Array;
}

/** The number of elements of a shape; an empty shape is a scalar. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Elements to step over for one step along each axis. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) {
    strides[axis] = strides[axis + 1] * shape[axis + 1];
  }
  return strides;
}

/** An array of the given shape with the given values (copied). */
export function nd(shape: readonly number[], values: ArrayLike<number>): NDArray {
  if (values.length !== sizeOf(shape)) {
    throw new RangeError(
      `nd: shape [${shape}] needs ${sizeOf(shape)} values, got ${values.length}`,
    );
  }
  return { shape: [...shape], data: Float64Array.from(values) };
}

/** An array of the given shape with every value the same. */
export function filled(shape: readonly number[], value: number): NDArray {
  return { shape: [...shape], data: new Float64Array(sizeOf(shape)).fill(value) };
}

/** The multi-index of a flat offset. */
export function unravel(offset: number, shape: readonly number[]): number[] {
  const strides = stridesOf(shape);
  return shape.map((extent, axis) => Math.floor(offset / strides[axis]) % extent);
}

/** The flat offset of a multi-index. */
export function ravel(index: readonly number[], shape: readonly number[]): number {
  const strides = stridesOf(shape);
  return index.reduce((offset, i, axis) => offset + i * strides[axis], 0);
}

/** An array whose value at each multi-index is what `value` says. */
export function build(shape: readonly number[], value: (index: number[]) => number): NDArray {
  const y = filled(shape, 0);
  for (let i = 0; i < y.data.length; i++) y.data[i] = value(unravel(i, shape));
  return y;
}

/** The value at a multi-index. */
export function at(x: NDArray, index: readonly number[]): number {
  return x.data[ravel(index, x.shape)];
}

/** The values rounded to float32, as the GPU holds them. */
export function toF32(x: NDArray): Float32Array<ArrayBuffer> {
  return Float32Array.from(x.data);
}

/** An axis counted from the front; -1 is the last. */
export function axisOf(axis: number, rank: number): number {
  const found = axis < 0 ? axis + rank : axis;
  if (found < 0 || found >= rank) throw new RangeError(`axis ${axis} is outside rank ${rank}`);
  return found;
}
