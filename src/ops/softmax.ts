import { defineKernel } from "../gpu/mod.ts";
import { empty, record, type Tensor } from "../tensor/mod.ts";
import { checkRows } from "./norm_check.ts";
import { type RowPlan, rowPlan } from "./rows.ts";

const kernel = defineKernel("softmax");

/**
 * Softmax over the last axis: `e^x / Σ e^x`, computed relative to each row's maximum, so that no value
 * overflows. The result has the shape of `x`.
 *
 * @throws {ShapeError} where `x` is not f32, has no axis, or has an empty one.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, softmax } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const y = softmax(fromArray(gpu, [0, Math.log(3)], [1, 2]));
 * console.log(await y.read()); // 0.25, 0.75
 * ```
 */
export function softmax(x: Tensor): Tensor {
  return softmaxRows("softmax", x, false);
}

/**
 * The logarithm of softmax over the last axis: `x − log Σ e^x`, exact where softmax itself would be
 * rounded to 0. The result has the shape of `x`.
 *
 * @throws {ShapeError} where `x` is not f32, has no axis, or has an empty one.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, logSoftmax } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const y = logSoftmax(fromArray(gpu, [0, 200], [1, 2]));
 * console.log(await y.read()); // -200, 0
 * ```
 */
export function logSoftmax(x: Tensor): Tensor {
  return softmaxRows("logSoftmax", x, true);
}

/** The gradient of {@link softmax} from its result `y`: `y (dy − Σ dy·y)`. */
export function softmaxGradient(y: Tensor, dy: Tensor): Tensor {
  return rowGradient(y, dy, false);
}

function softmaxRows(op: string, x: Tensor, log: boolean): Tensor {
  checkRows(op, x);
  const { gpu } = x;
  const { rows, width, grid, constants } = planOf(x);
  const y = empty(gpu, x.shape);
  const vector = width % 4 === 0;
  gpu.run(kernel, vector ? "forward4" : "forward1", {
    bind: vector
      ? { input4: x.storage, output4: y.storage }
      : { input: x.storage, output: y.storage },
    params: { rows, width },
    constants: { ...constants, LOG: Number(log) },
    grid,
  });
  return record(op, {
    inputs: [x],
    output: y,
    saved: [y],
    backward: (dy, [y]) => [rowGradient(y, dy, log)],
  });
}

function rowGradient(y: Tensor, dy: Tensor, log: boolean): Tensor {
  const { gpu } = y;
  const { rows, width, grid, constants } = planOf(y);
  const dx = empty(gpu, y.shape);
  gpu.run(kernel, "grad", {
    bind: { input: y.storage, cotangent: dy.storage, output: dx.storage },
    params: { rows, width },
    constants: { ...constants, LOG: Number(log) },
    grid,
  });
  return dx;
}

function planOf(x: Tensor): RowPlan & { rows: number; width: number } {
  const width = x.shape[x.rank - 1];
  const rows = x.size / width;
  return { rows, width, ...rowPlan(x.gpu, rows, width) };
}
