import { convert, type FloatType, record, ShapeError, type Tensor } from "../tensor/mod.ts";

/**
 * The values of a float tensor as floats of another width. From f32 to f16 they are rounded to the
 * nearest, and what exceeds 65504 becomes infinite.
 *
 * @throws {ShapeError} where `x` holds integers.
 * @throws {TypeError} where `x` wants a gradient and the result is f16.
 * @throws {GpuError} where the adapter has no f16.
 *
 * @example
 * ```ts
 * import { cast, fromArray, Gpu } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [1, 1 / 3], [2]);
 * if (gpu.hasHalf) console.log(await cast(x, "f16").read()); // 1, 0.333251953125
 * ```
 */
export function cast(x: Tensor, dtype: FloatType): Tensor {
  if (x.dtype === "u32") throw new ShapeError("cast", `x is u32, expected f32 or f16`);
  return record("cast", { inputs: [x], output: convert(x, dtype), backward: (dy) => [dy] });
}
