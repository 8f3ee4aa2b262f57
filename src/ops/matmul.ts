import {
  record,
  sameShape,
  type Shape,
  ShapeError,
  shapeText,
  sizeOf,
  type Tensor,
} from "../tensor/mod.ts";
import { type Extents, type Operand, product } from "./product.ts";
import { sumRows } from "./sum_rows.ts";

/** How {@link matmul} reads its operands. */
export interface MatmulOptions {
  /** `a` is stored as [..., K, M]. */
  transposeA?: boolean;
  /** `b` is stored as [..., N, K]. */
  transposeB?: boolean;
  /** Added to every row of the product: [N]. */
  bias?: Tensor;
}

/**
 * The matrix product of `a` [..., M, K] and `b` [..., K, N], in float32. The leading axes of both are
 * equal, or `b` has none and is shared by all matrices of `a`.
 *
 * Without `transposeA`, a row of the result does not depend, to the bit, on how many rows there are:
 * every element is one chain of fused multiply-adds over K. With `transposeA` and no bias a long K may be
 * summed in parts, as the gradient of a weight needs, in an order that depends on the shapes alone.
 *
 * @throws {ShapeError} where the extents do not fit or a tensor is not f32.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, matmul } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const a = fromArray(gpu, [1, 2, 3, 4], [2, 2]);
 * const b = fromArray(gpu, [5, 6, 7, 8], [2, 2]);
 * console.log(await matmul(a, b).read()); // 19, 22, 43, 50
 * console.log(await matmul(a, b, { transposeB: true }).read()); // 17, 23, 39, 53
 * ```
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const { transposeA = false, transposeB = false, bias } = options;
  const extents = check(a, b, options);
  const left = { transposed: transposeA, shared: false };
  const right = { transposed: transposeB, shared: b.rank === 2 };
  const shapes = [a.shape, b.shape];
  const y = product(
    a.gpu,
    { ...left, storage: a.storage },
    { ...right, storage: b.storage },
    { ...extents, output: outputShape(a, extents), bias },
  );
  return record("matmul", {
    inputs: bias ? [a, b, bias] : [a, b],
    output: y,
    saved: readByBackward(a, b),
    backward: (dy, saved, [needsA, needsB, needsBias]) => {
      const [x, w] = [saved[0], saved[saved.length - 1]].map((tensor) => tensor?.storage);
      return [
        needsA ? leftGradient(dy, left, { ...right, storage: w }, extents, shapes[0]) : null,
        needsB ? rightGradient(dy, { ...left, storage: x }, right, extents, shapes[1]) : null,
        ...(bias ? [needsBias ? biasGradient(dy) : null] : []),
      ];
    },
  });
}

/**
 * What the gradients of a product of `a` and `b` read: each operand only where the other wants one.
 * Where both are kept `a` is first and `b` last.
 */
export function readByBackward(a: Tensor, b: Tensor): Tensor[] {
  return [...(b.requiresGrad ? [a] : []), ...(a.requiresGrad ? [b] : [])];
}

/** The gradient of op(a) op(b) with respect to `a` as it is stored. */
export function leftGradient(
  dy: Tensor,
  a: Pick<Operand, "transposed">,
  b: Operand,
  { batch, m, n, k }: Extents,
  output: Shape,
): Tensor {
  const gradient = { storage: dy.storage, transposed: a.transposed, shared: false };
  return a.transposed
    ? product(dy.gpu, b, gradient, { batch, m: k, n: m, k: n, output })
    : product(dy.gpu, gradient, { ...b, transposed: !b.transposed }, {
      batch,
      m,
      n: k,
      k: n,
      output,
    });
}

/** The gradient of op(a) op(b) with respect to `b` as it is stored. */
export function rightGradient(
  dy: Tensor,
  a: Operand,
  b: Pick<Operand, "transposed" | "shared">,
  extents: Extents,
  output: Shape,
): Tensor {
  using scope = dy.gpu.scope();
  const isFolded = b.shared && !a.transposed;
  const batch = isFolded ? 1 : extents.batch;
  const rows = isFolded ? extents.batch * extents.m : extents.m;
  const { n, k } = extents;
  const gradient = { storage: dy.storage, transposed: b.transposed, shared: false };
  const isSummed = b.shared && batch > 1;
  const shape = isSummed ? [batch, ...output] : output;
  const found = b.transposed
    ? product(dy.gpu, gradient, a, { batch, m: n, n: k, k: rows, output: shape })
    : product(dy.gpu, { ...a, transposed: !a.transposed }, gradient, {
      batch,
      m: k,
      n,
      k: rows,
      output: shape,
    });
  if (!isSummed) return scope.keep(found);
  return scope.keep(sumRows(dy.gpu, found.storage, batch, n * k, output));
}

/** The gradient of what is added to every row. */
export function biasGradient(dy: Tensor): Tensor {
  const width = dy.shape[dy.rank - 1];
  return sumRows(dy.gpu, dy.storage, dy.size / width, width, [width]);
}

function outputShape(a: Tensor, { m, n }: Extents): Shape {
  return [...a.shape.slice(0, -2), m, n];
}

function check(a: Tensor, b: Tensor, options: MatmulOptions): Extents {
  const { transposeA = false, transposeB = false, bias } = options;
  const shapes = `a ${shapeText(a.shape)}${transposeA ? " transposed" : ""} and b ${
    shapeText(b.shape)
  }${transposeB ? " transposed" : ""}`;
  for (const [name, { dtype }] of Object.entries({ a, b, ...(bias && { bias }) })) {
    if (dtype !== "f32") throw new ShapeError("matmul", `${name} is ${dtype}, expected f32`);
  }
  if (a.rank < 2 || b.rank < 2 || a.size === 0 || b.size === 0) {
    throw new ShapeError("matmul", `${shapes}: both need at least 2 axes and one element`);
  }
  const [m, k] = lastTwo(a, transposeA);
  const [found, n] = lastTwo(b, transposeB);
  if (found !== k) {
    throw new ShapeError("matmul", `${shapes}: a gives K = ${k}, b has K = ${found}`);
  }
  const batch = a.shape.slice(0, -2);
  if (b.rank > 2 && !sameShape(batch, b.shape.slice(0, -2))) {
    throw new ShapeError(
      "matmul",
      `${shapes}: the axes before the last two must be equal, or b has none`,
    );
  }
  if (bias && !sameShape(bias.shape, [n])) {
    throw new ShapeError("matmul", `bias ${shapeText(bias.shape)} for ${shapes}: expected [${n}]`);
  }
  return { batch: sizeOf(batch), m, n, k };
}

function lastTwo({ shape }: Tensor, transposed: boolean): [number, number] {
  const [rows, columns] = shape.slice(-2);
  return transposed ? [columns, rows] : [rows, columns];
}
