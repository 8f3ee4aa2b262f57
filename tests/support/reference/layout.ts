import { at, axisOf, build, filled, nd, type NDArray, sizeOf } from "./ndarray.ts";

/** The same elements in the same order under another shape; one extent may be -1. */
export function reshape(x: NDArray, shape: readonly number[]): NDArray {
  const known = sizeOf(shape.filter((extent) => extent !== -1));
  return nd(shape.map((extent) => (extent === -1 ? x.data.length / known : extent)), x.data);
}

/** Axis i of the output is axis `axes[i]` of the input. */
export function permute(x: NDArray, axes: readonly number[]): NDArray {
  const from = axes.map((axis) => axisOf(axis, x.shape.length));
  return build(from.map((axis) => x.shape[axis]), (index) => {
    const source = x.shape.map(() => 0);
    from.forEach((axis, i) => source[axis] = index[i]);
    return at(x, source);
  });
}

/** The block from `start` (inclusive) to `end` (exclusive), one number per axis. */
export function slice(x: NDArray, start: readonly number[], end: readonly number[]): NDArray {
  return build(
    start.map((from, axis) => end[axis] - from),
    (index) => at(x, index.map((position, axis) => position + start[axis])),
  );
}

/** Surrounds the array with a constant: [before, after] per axis. */
export function pad(
  x: NDArray,
  padding: readonly (readonly [number, number])[],
  value = 0,
): NDArray {
  return build(x.shape.map((extent, axis) => extent + padding[axis][0] + padding[axis][1]), (i) => {
    const source = i.map((position, axis) => position - padding[axis][0]);
    const inside = source.every((position, axis) => position >= 0 && position < x.shape[axis]);
    return inside ? at(x, source) : value;
  });
}

/** Joins arrays along one axis. */
export function concat(xs: readonly NDArray[], axis: number): NDArray {
  const along = axisOf(axis, xs[0].shape.length);
  const total = xs.reduce((sum, x) => sum + x.shape[along], 0);
  return build(xs[0].shape.map((extent, i) => (i === along ? total : extent)), (index) => {
    const source = [...index];
    let which = 0;
    while (source[along] >= xs[which].shape[along]) source[along] -= xs[which++].shape[along];
    return at(xs[which], source);
  });
}

/** Rows of a [V, C] table by index: indices [...] to [..., C]. */
export function gather(table: NDArray, indices: NDArray): NDArray {
  const [rows, channels] = table.shape;
  const y = filled([...indices.shape, channels], 0);
  indices.data.forEach((row, i) => {
    if (row < 0 || row >= rows) throw new RangeError(`gather: row ${row} of ${rows}`);
    y.data.set(table.data.subarray(row * channels, (row + 1) * channels), i * channels);
  });
  return y;
}

/** The gradient of gather: adds row i of dy [..., C] to row `indices[i]` of a [rows, C] table of zeros. */
export function scatterAdd(dy: NDArray, indices: NDArray, rows: number): NDArray {
  const channels = dy.shape[dy.shape.length - 1];
  const table = filled([rows, channels], 0);
  indices.data.forEach((row, i) => {
    for (let c = 0; c < channels; c++) {
      table.data[row * channels + c] += dy.data[i * channels + c];
    }
  });
  return table;
}
