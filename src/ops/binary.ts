import { defineKernel, gridFor } from "../gpu/mod.ts";
import {
  type Backward,
  empty,
  type FloatType,
  record,
  sameShape,
  type Tensor,
} from "../tensor/mod.ts";
import { broadcastShape, broadcastStrides, mergeAxes, type Walk, walkParams } from "./broadcast.ts";
import { expectDType, expectFloats } from "./check.ts";
import { sumTo } from "./reduce.ts";
import { affine, clamp, neg } from "./unary.ts";

const kernel = defineKernel("binary");

/** The functions' numbers in the kernel. */
const OPS = { add: 0, sub: 1, mul: 2, div: 3, maximum: 4, minimum: 5, greater: 6, equal: 7 };

/** Computes an operation of the table without recording it. */
export function combine(name: keyof typeof OPS, a: Tensor, b: Tensor): Tensor {
  expectDType(name, "f32", { a, b });
  return combineAs("f32", name, a, b);
}

/** The same for floats of any width; the result is stored as `dtype`. */
function combineAs(dtype: FloatType, name: keyof typeof OPS, a: Tensor, b: Tensor): Tensor {
  const shape = broadcastShape(name, a.shape, b.shape);
  const y = empty(a.gpu, shape, dtype);
  const walk = mergeAxes(shape, [
    broadcastStrides(a.shape, shape),
    broadcastStrides(b.shape, shape),
  ]);
  const { entry, quads } = plan(walk);
  const count = Math.ceil(y.size / 4);
  a.gpu.run(kernel, entry, {
    bind: quads
      ? { a_quads: a.storage, b_quads: b.storage, y: y.storage }
      : { a: a.storage, b: b.storage, y: y.storage },
    params: { quads: count, ...walkParams(name, walk, "ab") },
    constants: { OP: OPS[name], ...entryConstants(entry, walk) },
    grid: gridFor(count, 64),
  });
  return y;
}

function plan({ shape, strides: [a, b] }: Walk): { entry: string; quads: boolean } {
  const inner = shape.length - 1;
  if (shape.length === 1 && a[0] === 1 && b[0] === 1) return { entry: "same", quads: true };
  if (shape[inner] % 4 === 0 && a[inner] <= 1 && b[inner] <= 1) {
    return { entry: "rows", quads: true };
  }
  return { entry: "elements", quads: false };
}

function entryConstants(entry: string, { shape, strides: [a, b] }: Walk): Record<string, number> {
  if (entry === "same") return {};
  const RANK = shape.length;
  if (entry === "elements") return { RANK };
  return { RANK, A_REPEATS: Number(a[RANK - 1] === 0), B_REPEATS: Number(b[RANK - 1] === 0) };
}

/** Computes and records; `backward` gives gradients of the output's shape, reduced here to the operands'. */
function apply(
  name: "add" | "sub" | "mul" | "div" | "maximum" | "minimum",
  a: Tensor,
  b: Tensor,
  saved: (y: Tensor) => Tensor[],
  backward: Backward,
  y: Tensor = combine(name, a, b),
): Tensor {
  const shapes = [a.shape, b.shape];
  return record(name, {
    inputs: [a, b],
    output: y,
    saved: saved(y),
    backward: (dy, kept, needs, sums) =>
      backward(dy, kept, needs, sums).map((gradient, i) =>
        gradient && (sameShape(gradient.shape, shapes[i]) ? gradient : sumTo(gradient, shapes[i]))
      ),
  });
}

/**
 * `a + b`, broadcast by NumPy's rule: shapes are aligned at the last axis, lengths are equal or 1.
 *
 * @throws {ShapeError} where the shapes do not broadcast or an operand is not f32.
 *
 * @example
 * ```ts
 * import { add, fromArray, Gpu } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [1, 2, 3, 4], [2, 2]);
 * const bias = fromArray(gpu, [10, 20], [2]);
 * console.log(await add(x, bias).read()); // 11, 22, 13, 24
 * console.log(await add(x, 1).read()); // 2, 3, 4, 5
 * ```
 */
export function add(a: Tensor, b: Tensor | number): Tensor {
  if (typeof b === "number") return affine(a, 1, b);
  return apply("add", a, b, () => [], (dy) => [dy, dy]);
}

/** The same for floats of any width; the sum is stored as `dtype`. */
export function addAs(dtype: FloatType, a: Tensor, b: Tensor): Tensor {
  expectFloats("add", { a, b });
  return apply("add", a, b, () => [], (dy) => [dy, dy], combineAs(dtype, "add", a, b));
}

/**
 * `a - b`, broadcast as {@link add}. For a number minus a tensor, use `affine(x, -1, number)`.
 *
 * @throws {ShapeError} where the shapes do not broadcast or an operand is not f32.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, sub } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [1, 2, 3, 4], [2, 2]);
 * console.log(await sub(x, fromArray(gpu, [1, 3], [2, 1])).read()); // 0, 1, 0, 1
 * ```
 */
export function sub(a: Tensor, b: Tensor | number): Tensor {
  if (typeof b === "number") return affine(a, 1, -b);
  return apply("sub", a, b, () => [], (dy, _saved, needs) => [dy, needs[1] ? neg(dy) : null]);
}

/**
 * `a · b`, element by element, broadcast as {@link add}.
 *
 * @throws {ShapeError} where the shapes do not broadcast or an operand is not f32.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, mul } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [1, 2, 3, 4], [2, 2]);
 * console.log(await mul(x, x).read()); // 1, 4, 9, 16
 * ```
 */
export function mul(a: Tensor, b: Tensor | number): Tensor {
  if (typeof b === "number") return affine(a, b, 0);
  // Each operand's gradient needs the other operand; one that nobody needs is not kept alive.
  const factors = () => [a.requiresGrad ? b : a, b.requiresGrad ? a : b];
  return apply("mul", a, b, factors, (dy, [ofA, ofB], needs) => [
    needs[0] ? combine("mul", dy, ofA) : null,
    needs[1] ? combine("mul", dy, ofB) : null,
  ]);
}

/**
 * `a / b`, element by element, broadcast as {@link add}. A number b divides as its reciprocal does.
 *
 * @throws {ShapeError} where the shapes do not broadcast or an operand is not f32.
 *
 * @example
 * ```ts
 * import { div, fromArray, Gpu } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [2, 4], [2]);
 * console.log(await div(x, fromArray(gpu, [4], [1])).read()); // 0.5, 1
 * ```
 */
export function div(a: Tensor, b: Tensor | number): Tensor {
  if (typeof b === "number") return affine(a, 1 / b, 0);
  return apply("div", a, b, (y) => [b, b.requiresGrad ? y : b], (dy, [b, y], needs) => {
    const da = combine("div", dy, b);
    return [needs[0] ? da : null, needs[1] ? neg(combine("mul", da, y)) : null];
  });
}

/**
 * The larger of two elements, broadcast as {@link add}. Where two tensors' elements are equal each
 * gets half of the gradient, as in PyTorch; against a number the gradient is {@link clamp}'s.
 *
 * @throws {ShapeError} where the shapes do not broadcast or an operand is not f32.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, maximum } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [1, 5], [2]);
 * console.log(await maximum(x, fromArray(gpu, [4, 2], [2])).read()); // 4, 5
 * ```
 */
export function maximum(a: Tensor, b: Tensor | number): Tensor {
  if (typeof b === "number") return clamp(a, { min: b });
  return apply("maximum", a, b, () => [a, b], (dy, [a, b], needs) => [
    needs[0] ? combine("mul", dy, combine("greater", a, b)) : null,
    needs[1] ? combine("mul", dy, combine("greater", b, a)) : null,
  ]);
}

/**
 * The smaller of two elements, broadcast as {@link add}; its gradient is shared as {@link maximum}'s.
 *
 * @throws {ShapeError} where the shapes do not broadcast or an operand is not f32.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, minimum } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [1, 5], [2]);
 * console.log(await minimum(x, fromArray(gpu, [4, 2], [2])).read()); // 1, 2
 * ```
 */
export function minimum(a: Tensor, b: Tensor | number): Tensor {
  if (typeof b === "number") return clamp(a, { max: b });
  return apply("minimum", a, b, () => [a, b], (dy, [a, b], needs) => [
    needs[0] ? combine("mul", dy, combine("greater", b, a)) : null,
    needs[1] ? combine("mul", dy, combine("greater", a, b)) : null,
  ]);
}
