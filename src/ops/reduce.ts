import { defineKernel, gridFor } from "../gpu/mod.ts";
import {
  empty,
  normalizeAxis,
  record,
  type Shape,
  share,
  sizeOf,
  type Tensor,
} from "../tensor/mod.ts";
import { combine } from "./binary.ts";
import { broadcastTo } from "./broadcast_to.ts";
import { expectDType } from "./check.ts";
import { reshape } from "./reshape.ts";
import { affine } from "./unary.ts";

const kernel = defineKernel("reduce");

/** Elements that one thread folds, as in the kernel. */
const CHUNK = 256;

/** What is reduced and how the result is shaped. */
export interface ReduceOptions {
  /** The axes to reduce, negative ones counted from the back; all of them unless given. */
  axes?: readonly number[];
  /** Whether reduced axes stay with length 1; false unless given. */
  keepDims?: boolean;
}

type Fold = "sum" | "max";

/**
 * Folds the middle axis of [outer, length, inner] to length 1. How a result is split into partial ones
 * depends on `length` alone.
 */
function foldMiddle(
  x: Tensor,
  [outer, length, inner]: readonly [number, number, number],
  fold: Fold,
  divisor: number,
): Tensor {
  const chunks = Math.max(1, Math.ceil(length / CHUNK));
  const isLast = chunks === 1;
  using scope = x.gpu.scope();
  const y = empty(x.gpu, [outer, chunks, inner]);
  const alongRows = inner === 1 && length % 4 === 0;
  const inQuads = !alongRows && inner % 4 === 0;
  const items = inQuads ? y.size / 4 : y.size;
  x.gpu.run(kernel, alongRows ? "rows" : inQuads ? "columns" : "elements", {
    bind: {
      ...(alongRows || inQuads ? { x_quads: x.storage } : { x_scalars: x.storage }),
      ...(inQuads ? { y_quads: y.storage } : { y_scalars: y.storage }),
    },
    params: {
      items,
      length,
      inner: inQuads ? inner / 4 : inner,
      chunks,
      identity: fold === "sum" ? 0 : -Infinity,
      divisor: isLast ? divisor : 1,
    },
    constants: { OP: fold === "sum" ? 0 : 1 },
    grid: gridFor(items, 64),
  });
  return scope.keep(isLast ? y : foldMiddle(y, [outer, chunks, inner], fold, divisor));
}

/** Runs of neighbouring axes to reduce, last first, as `[first, one past the last]`. */
function runsOf(axes: ReadonlySet<number>, rank: number): [number, number][] {
  const runs: [number, number][] = [];
  for (let end = rank; end > 0; end--) {
    if (!axes.has(end - 1)) continue;
    let start = end - 1;
    while (axes.has(start - 1)) start--;
    runs.push([start, end]);
    end = start;
  }
  return runs;
}

/** Folds a plan's axes, one run of neighbours after another, and gives the result its shape. */
function foldAxes(x: Tensor, { axes, shape: resultShape }: Plan, fold: Fold, divisor = 1): Tensor {
  using scope = x.gpu.scope();
  const shape = [...x.shape];
  let y = x;
  const runs = runsOf(axes, x.rank).filter(([start, end]) => sizeOf(shape.slice(start, end)) !== 1);
  runs.forEach(([start, end], i) => {
    const length = sizeOf(shape.slice(start, end));
    const sizes = [sizeOf(shape.slice(0, start)), length, sizeOf(shape.slice(end))] as const;
    y = foldMiddle(y, sizes, fold, i === runs.length - 1 ? divisor : 1);
    shape.fill(1, start, end);
  });
  const result = share(y, resultShape);
  x.gpu.track(result);
  return scope.keep(result);
}

interface Plan {
  axes: Set<number>;
  /** The result's shape where reduced axes stay. */
  kept: number[];
  /** The result's shape. */
  shape: number[];
  /** How many elements fall on one. */
  count: number;
}

function plan(op: string, x: Tensor, { axes, keepDims = false }: ReduceOptions): Plan {
  expectDType(op, "f32", { x });
  const reduced = new Set(
    axes ? axes.map((axis) => normalizeAxis(op, axis, x.rank)) : x.shape.keys(),
  );
  const kept = x.shape.map((length, axis) => (reduced.has(axis) ? 1 : length));
  const shape = keepDims ? kept : x.shape.filter((_, axis) => !reduced.has(axis));
  return {
    axes: reduced,
    kept,
    shape,
    count: sizeOf(x.shape.filter((_, axis) => reduced.has(axis))),
  };
}

/**
 * The sum over `axes`. Partial sums are taken in a fixed order, so that rounding errors stay small
 * (about 1e-7 relative for a million numbers of one sign) and equal rows give equal bits whatever
 * else is in the tensor.
 *
 * @throws {ShapeError} where x is not f32.
 * @throws {RangeError} where an axis is out of range.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, sum } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [1, 2, 3, 4], [2, 2]);
 * console.log(await sum(x).item()); // 10
 * console.log(await sum(x, { axes: [0] }).read()); // 4, 6
 * ```
 */
export function sum(x: Tensor, options: ReduceOptions = {}): Tensor {
  const reduced = plan("sum", x, options);
  return record("sum", {
    inputs: [x],
    output: foldAxes(x, reduced, "sum"),
    backward: (dy) => [broadcastTo(reshape(dy, reduced.kept), x.shape)],
  });
}

/**
 * The mean over `axes`, summed as {@link sum} does.
 *
 * @throws {ShapeError} where x is not f32.
 * @throws {RangeError} where an axis is out of range.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, mean } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [1, 2, 3, 4], [2, 2]);
 * console.log(await mean(x, { axes: [-1], keepDims: true }).read()); // 1.5, 3.5 of shape 2, 1
 * ```
 */
export function mean(x: Tensor, options: ReduceOptions = {}): Tensor {
  const reduced = plan("mean", x, options);
  const { count, kept } = reduced;
  return record("mean", {
    inputs: [x],
    output: foldAxes(x, reduced, "sum", count),
    backward: (dy) => [broadcastTo(reshape(affine(dy, 1 / count, 0), kept), x.shape)],
  });
}

/**
 * The maximum over `axes`. Where several elements share it, the gradient is split evenly among them,
 * as PyTorch's `amax` does.
 *
 * @throws {ShapeError} where x is not f32.
 * @throws {RangeError} where an axis is out of range.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, max } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [1, 5, 3, 4], [2, 2]);
 * console.log(await max(x, { axes: [1] }).read()); // 5, 4
 * ```
 */
export function max(x: Tensor, options: ReduceOptions = {}): Tensor {
  const reduced = plan("max", x, options);
  const y = foldAxes(x, reduced, "max");
  return record("max", {
    inputs: [x],
    output: y,
    saved: [x, y],
    backward: (dy, [x, y]) => {
      const isMax = combine("equal", x, reshape(y, reduced.kept));
      const ties = foldAxes(isMax, reduced, "sum");
      const part = reshape(combine("div", dy, ties), reduced.kept);
      return [combine("mul", isMax, part)];
    },
  });
}

/** x summed over the axes along which `shape` was broadcast to x's: the gradient of broadcasting. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  const lead = x.rank - shape.length;
  const axes = [...x.shape.keys()].filter((axis) => axis < lead || shape[axis - lead] === 1);
  return reshape(sum(x, { axes }), shape);
}
