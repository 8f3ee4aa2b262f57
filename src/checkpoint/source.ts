import { type IntegerDtype, isFloat, type StoredFloat, type TensorData } from "./dtype.ts";
import { CheckpointError } from "./errors.ts";
import { MAX_TENSORS } from "./limits.ts";

/** A tensor of floats as read from a file: float32 values, whatever they were stored as. */
export interface FloatTensor {
  /** The tensor's name in the file. */
  readonly name: string;
  /** How the file stores it. */
  readonly dtype: StoredFloat;
  /** Its shape, row-major; empty for a scalar. */
  readonly shape: readonly number[];
  /** Its values: exactly those of the file, but for f64, which is rounded to nearest. */
  readonly data: Float32Array<ArrayBuffer>;
}

/** A tensor of integers as read from a file. */
export interface IntegerTensor {
  /** The tensor's name in the file. */
  readonly name: string;
  /** How the file stores it. */
  readonly dtype: IntegerDtype;
  /** Its shape, row-major; empty for a scalar. */
  readonly shape: readonly number[];
  /** Its values; `bool` as bytes 0 and 1. */
  readonly data: Exclude<TensorData, Float32Array>;
}

/** A tensor as read from a file; `dtype` tells which. */
export type StoredTensor = FloatTensor | IntegerTensor;

/** What a file says of a tensor without reading its values. */
export interface TensorInfo {
  /** The tensor's name in the file. */
  readonly name: string;
  /** How the file stores it: `"f32"`, `"f16"`, `"bf16"`, `"i64"` and so on. */
  readonly dtype: string;
  /** Its shape, row-major; empty for a scalar. */
  readonly shape: readonly number[];
  /** The bytes it takes in the file. */
  readonly bytes: number;
}

/**
 * Named tensors, open for reading one by one: a safetensors file, a PyTorch file, the shards of
 * either, or a part of one. Where a file nests dictionaries, a tensor's name is the keys joined with
 * dots.
 */
export interface TensorFile extends Disposable {
  /** The file's name, for messages. */
  readonly file: string;
  /** The kind of file. */
  readonly format: "safetensors" | "pytorch";
  /** Free-form texts that the file carries beside its tensors. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The tensors' names, in the file's order. */
  readonly names: readonly string[];
  /** Whether there is a tensor of this name. */
  has(name: string): boolean;
  /** What the file says of a tensor. @throws {CheckpointError} where there is none of this name. */
  info(name: string): TensorInfo;
  /** Reads one tensor. @throws {CheckpointError} where it is missing or of a dtype not read here. */
  tensor(name: string): Promise<StoredTensor>;
  /**
   * Reads one tensor of floats.
   *
   * @param shape The shape it must have, where one is expected.
   * @throws {CheckpointError} where it is missing, has another shape, or holds integers.
   */
  floats(name: string, shape?: readonly number[]): Promise<Float32Array<ArrayBuffer>>;
  /** Closes the file. Tensors already read stay valid. */
  close(): void;
}

/** What looks into a file of tensors need: enough to check shapes, and to read one. */
type Readable = Pick<TensorFile, "file" | "info" | "tensor">;

/**
 * Checks a tensor's shape without reading it.
 *
 * @throws {CheckpointError} where it is missing or has another shape.
 */
export function expectShape(
  source: Pick<TensorFile, "file" | "info">,
  name: string,
  expected: readonly number[],
): void {
  const { shape } = source.info(name);
  if (sameShape(shape, expected)) return;
  throw new CheckpointError(
    source.file,
    `has shape [${shape.join(", ")}], expected [${expected.join(", ")}]; ` +
      `the file is of another model or configuration`,
    { tensor: name },
  );
}

/** The `floats` of a reader that has `info` and `tensor`. */
export async function readFloats(
  source: Readable,
  name: string,
  shape?: readonly number[],
): Promise<Float32Array<ArrayBuffer>> {
  if (shape !== undefined) expectShape(source, name, shape);
  const tensor = await source.tensor(name);
  if (isFloat(tensor.dtype)) return tensor.data as Float32Array<ArrayBuffer>;
  throw new CheckpointError(
    source.file,
    `holds integers (${tensor.dtype.toUpperCase()}), expected F32, F16 or BF16; ` +
      `the file is of another model`,
    { tensor: name },
  );
}

/** The error of a tensor that a file of `count` tensors lacks. */
export function missingTensor(file: string, name: string, count: number): CheckpointError {
  return new CheckpointError(
    file,
    `is missing among the file's ${count} tensors; the file is of another model or layout`,
    { tensor: name },
  );
}

/** The error of a file of so many tensors, or of as many at least. */
export function tooManyTensors(count: number, file: string): CheckpointError {
  return new CheckpointError(
    file,
    `has ${count} tensors, at most ${MAX_TENSORS} are read; it is no checkpoint of images' models`,
  );
}

/** Whether two shapes are equal. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((n, i) => n === b[i]);
}
