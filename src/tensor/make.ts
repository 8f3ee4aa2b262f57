import { defineKernel, type Gpu, gridFor } from "../gpu/mod.ts";
import { ShapeError } from "./errors.ts";
import { checkShape, type Shape, shapeText, sizeOf } from "./shape.ts";
import { bytesOf, type DType, Tensor } from "./tensor.ts";

const kernel = defineKernel("fill");

/** A tensor of undefined contents, owned by the current scope. */
export function empty(gpu: Gpu, shape: Shape, dtype: DType = "f32"): Tensor {
  checkShape("empty", shape);
  const tensor = ownTensor(gpu, shape, dtype);
  gpu.track(tensor);
  return tensor;
}

/** The same, unknown to any scope: its maker disposes it. */
export function ownTensor(gpu: Gpu, shape: Shape, dtype: DType): Tensor {
  const storage = gpu.allocate(bytesOf(sizeOf(shape), dtype), { isHalf: dtype === "f16" });
  return new Tensor(gpu, storage, [...shape], dtype);
}

/** A tensor of zeros. */
export function zeros(gpu: Gpu, shape: Shape, dtype: DType = "f32"): Tensor {
  const tensor = empty(gpu, shape, dtype);
  if (tensor.size > 0) gpu.clear(tensor.storage);
  return tensor;
}

/** An f32 tensor that holds one value everywhere. */
export function full(gpu: Gpu, shape: Shape, value: number): Tensor {
  const y = empty(gpu, shape);
  gpu.run(kernel, "fill", {
    bind: { y: y.storage },
    params: { size: y.size, value },
    grid: gridFor(Math.ceil(y.size / 4), 64),
  });
  return y;
}

/** An f32 tensor of shape `[]`. */
export function scalar(gpu: Gpu, value: number): Tensor {
  return full(gpu, [], value);
}

/**
 * A tensor with the given values, row-major. Numbers become f32; a Uint32Array stays u32.
 *
 * @throws {ShapeError} where the count of values does not fit the shape.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [1, 2, 3, 4], [2, 2]);
 * console.log(x.shape, await x.read());
 * ```
 */
export function fromArray(
  gpu: Gpu,
  values: Float32Array | Uint32Array | readonly number[],
  shape: Shape,
): Tensor {
  const data = dataOf("fromArray", values, shape);
  const tensor = empty(gpu, shape, data instanceof Uint32Array ? "u32" : "f32");
  if (data.length > 0) gpu.write(tensor.storage, data);
  return tensor;
}

/**
 * The same for values that follow from what work is called and its inputs' shapes: {@link Replays}
 * records such work with them, where `fromArray` is an error. They are for reading.
 *
 * @throws {ShapeError} where the count of values does not fit the shape.
 */
export function constants(
  gpu: Gpu,
  values: Float32Array | Uint32Array | readonly number[],
  shape: Shape,
): Tensor {
  const data = dataOf("constants", values, shape);
  const dtype = data instanceof Uint32Array ? "u32" : "f32";
  const tensor = new Tensor(gpu, gpu.constant(data), [...shape], dtype);
  gpu.track(tensor);
  return tensor;
}

function dataOf(
  name: string,
  values: Float32Array | Uint32Array | readonly number[],
  shape: Shape,
): Float32Array | Uint32Array {
  const data = values instanceof Float32Array || values instanceof Uint32Array
    ? values
    : new Float32Array(values);
  if (data.length !== sizeOf(shape)) {
    throw new ShapeError(name, `${data.length} values do not fill ${shapeText(shape)}`);
  }
  return data;
}

/** Another handle on the same bytes, unknown to any scope: its maker disposes it. */
export function share(tensor: Tensor, shape: Shape = tensor.shape): Tensor {
  return new Tensor(tensor.gpu, tensor.storage.retain(), shape, tensor.dtype);
}
