import { defineKernel, type Gpu, gridFor, type Storage } from "../gpu/mod.ts";
import { empty, type Shape, type Tensor } from "../tensor/mod.ts";

const kernel = defineKernel("fit");

/** A stack of row-major matrices in memory. */
export interface Matrices {
  storage: Storage;
  count: number;
  rows: number;
  columns: number;
}

/** The next multiple of 4, the length that vec4 kernels need of a row. */
export function align(extent: number): number {
  return Math.ceil(extent / 4) * 4;
}

/** The same matrices with other extents: cut, or filled up with zeros. Nothing is copied where nothing changes. */
export function fit(gpu: Gpu, from: Matrices, rows: number, columns: number): Storage {
  if (from.rows === rows && from.columns === columns) return from.storage;
  return copy(gpu, from, rows, columns, [from.count, rows, columns], false).storage;
}

/** The upper left corner of the matrices, as a tensor whose last axis are its columns and the one before its rows. */
export function cropped(gpu: Gpu, from: Matrices, rows: number, shape: Shape): Tensor {
  return copy(gpu, from, rows, shape[shape.length - 1], shape, false);
}

/** The matrices from last to first, each transposed, filled up with zeros to `rows` and `columns`. */
export function flipped(gpu: Gpu, from: Matrices, rows: number, columns: number): Storage {
  const extents = [from.rows, from.columns, rows, columns];
  return extents.every((extent) => extent % 4 === 0)
    ? flippedInBlocks(gpu, from, rows, columns)
    : flippedOneByOne(gpu, from, rows, columns);
}

/** The same for all extents, so that tests can compare. */
export function flippedOneByOne(gpu: Gpu, from: Matrices, rows: number, columns: number): Storage {
  return copy(gpu, from, rows, columns, [from.count, rows, columns], true).storage;
}

function flippedInBlocks(
  gpu: Gpu,
  { storage, count, rows, columns }: Matrices,
  toRows: number,
  toColumns: number,
): Storage {
  const y = empty(gpu, [count, toRows, toColumns], storage.isHalf ? "f16" : "f32");
  const squares = Math.ceil(toRows / 16) * Math.ceil(toColumns / 16);
  gpu.run(kernel, "flip4", {
    bind: { x_quads: storage, y_quads: y.storage },
    params: { count, rows, columns, toRows, toColumns, flip: 1 },
    grid: gridFor(16 * count * squares, 64),
  });
  return y.storage;
}

function copy(
  gpu: Gpu,
  from: Matrices,
  toRows: number,
  toColumns: number,
  shape: Shape,
  flip: boolean,
): Tensor {
  const { count, rows, columns } = from;
  const y = empty(gpu, shape, from.storage.isHalf ? "f16" : "f32");
  gpu.run(kernel, "fit", {
    bind: { x: from.storage, y: y.storage },
    params: { count, rows, columns, toRows, toColumns, flip: Number(flip) },
    grid: gridFor(y.size, 64),
  });
  return y;
}
