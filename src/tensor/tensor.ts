import type { Gpu, Storage } from "../gpu/mod.ts";
import { dropNode, leafNode, type Node } from "./node.ts";
import { type Shape, sizeOf } from "./shape.ts";

/**
 * The element types: 32-bit floats, 32-bit unsigned integers for indices, and 16-bit floats to store
 * what is computed in 32 bits. Few operations take f16, and none has a gradient for it.
 */
export type DType = "f32" | "u32" | "f16";

/** Those of floats. */
export type FloatType = Exclude<DType, "u32">;

/** The bytes that so many elements take, filled up to what commands copy. */
export function bytesOf(size: number, dtype: DType): number {
  return dtype === "f16" ? 4 * Math.ceil(size / 2) : 4 * size;
}

/**
 * A row-major, contiguous array on the GPU. Images are NHWC: `[batch, height, width, channels]`.
 *
 * A tensor made inside a scope is freed with it; any other with {@link Tensor.dispose}.
 */
export class Tensor implements Disposable {
  /** The device it lives on. */
  readonly gpu: Gpu;
  /** The lengths of its axes. */
  readonly shape: Shape;
  /** The type of its elements. */
  readonly dtype: DType;
  /** How many elements it has. */
  readonly size: number;
  /** Its bytes; views share them. */
  readonly storage: Storage;
  /** Its place in the graph that `gradients` walks; undefined where no gradient is wanted. */
  node: Node | undefined;
  #disposed = false;

  /** Takes over one reference to `storage`. Use {@link empty}, {@link fromArray} and their like. */
  constructor(gpu: Gpu, storage: Storage, shape: Shape, dtype: DType) {
    this.gpu = gpu;
    this.storage = storage;
    this.shape = shape;
    this.dtype = dtype;
    this.size = sizeOf(shape);
  }

  /** How many axes it has. */
  get rank(): number {
    return this.shape.length;
  }

  /** Whether operations on it are recorded for `gradients`. */
  get requiresGrad(): boolean {
    return this.node !== undefined;
  }

  /** Makes it a leaf that gradients are wanted for, or, with `false`, a constant. Returns itself. */
  requireGrad(wanted = true): this {
    if (wanted && this.dtype !== "f32") {
      throw new TypeError(`requireGrad: gradients are for f32 tensors, this one is ${this.dtype}`);
    }
    if (this.node) dropNode(this.node);
    this.node = wanted ? leafNode(this.shape) : undefined;
    return this;
  }

  /** Whether {@link Tensor.dispose} was called, by hand or by a scope. */
  get disposed(): boolean {
    return this.#disposed;
  }

  /** Gives up this handle; the bytes go back to the pool when no view or graph holds them. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.storage.release();
    if (this.node) dropNode(this.node);
  }

  /** The same as {@link Tensor.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /**
   * The values, row-major; those of an f16 tensor as the 32-bit floats that they are. The copy is
   * recorded at once: the tensor may be freed before the promise resolves.
   */
  async read(): Promise<Float32Array | Uint32Array> {
    if (this.dtype === "f32") return await this.readF32();
    if (this.dtype === "u32") return await this.readU32();
    this.#expect("f16");
    return new Float32Array(new Float16Array(await this.gpu.read(this.storage), 0, this.size));
  }

  /** The values of an f32 tensor. @throws {TypeError} for another dtype. */
  async readF32(): Promise<Float32Array> {
    this.#expect("f32");
    return new Float32Array(await this.gpu.read(this.storage));
  }

  /** The values of a u32 tensor. @throws {TypeError} for another dtype. */
  async readU32(): Promise<Uint32Array> {
    this.#expect("u32");
    return new Uint32Array(await this.gpu.read(this.storage));
  }

  /** The only value of an f32 tensor of one element. @throws {TypeError} for more than one. */
  async item(): Promise<number> {
    if (this.size !== 1) throw new TypeError(`item: the tensor has ${this.size} elements, not 1`);
    return (await this.readF32())[0];
  }

  /**
   * Replaces the values; those of an f16 tensor are rounded to the nearest.
   *
   * @throws {TypeError} where the length or type differs.
   * @throws {RangeError} where an f16 tensor cannot hold a value.
   */
  write(data: Float32Array | Uint32Array): void {
    const isHalf = this.dtype === "f16" && data instanceof Float32Array;
    if (!isHalf) this.#expect(data instanceof Float32Array ? "f32" : "u32");
    if (data.length !== this.size) {
      throw new TypeError(`write: ${data.length} values for a tensor of ${this.size}`);
    }
    this.gpu.write(this.storage, isHalf ? halfWords(data) : data);
  }

  #expect(dtype: DType): void {
    if (this.#disposed) {
      throw new TypeError("the tensor was already freed: keep it with scope.keep to use it later");
    }
    if (this.dtype !== dtype) throw new TypeError(`expected ${dtype} values, found ${this.dtype}`);
  }
}

/** The bits of values as f16, two in each word. */
function halfWords(data: Float32Array): Uint32Array {
  const halves = new Float16Array(2 * Math.ceil(data.length / 2));
  halves.set(data);
  const lost = data.findIndex((value, i) => Number.isFinite(value) && !Number.isFinite(halves[i]));
  if (lost >= 0) {
    throw new RangeError(`write: f16 holds up to 65504, found ${data[lost]}: use f32`);
  }
  return new Uint32Array(halves.buffer);
}
