/** How weights are written. All are read as float32. */
export type FloatDtype = "f32" | "f16" | "bf16";

/** How a float tensor may be stored. f64 is read as float32, rounded to nearest. */
export type StoredFloat = FloatDtype | "f64";

/** How an integer tensor is stored. */
export type IntegerDtype = "i64" | "u64" | "i32" | "u32" | "i16" | "u16" | "i8" | "u8" | "bool";

/** Every storage format that is read and written here. */
export type StoredDtype = StoredFloat | IntegerDtype;

/** The values of a tensor: floats as float32, integers as what holds them, bool as bytes. */
export type TensorData =
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** The kind of array that holds each kind of integer. */
const INTEGERS = {
  i64: BigInt64Array,
  u64: BigUint64Array,
  i32: Int32Array,
  u32: Uint32Array,
  i16: Int16Array,
  u16: Uint16Array,
  i8: Int8Array,
  u8: Uint8Array,
  bool: Uint8Array,
} as const;

/** Bytes per element of the dtypes a safetensors file may name, also of those not read here. */
export const BYTES_PER_ELEMENT: ReadonlyMap<string, number> = new Map([
  ...["f64", "i64", "u64", "c64"].map((name): [string, number] => [name, 8]),
  ...["f32", "i32", "u32"].map((name): [string, number] => [name, 4]),
  ...["f16", "bf16", "i16", "u16"].map((name): [string, number] => [name, 2]),
  ...["i8", "u8", "bool", "f8_e4m3", "f8_e5m2", "f8_e8m0"].map((
    name,
  ): [string, number] => [name, 1]),
]);

/** Whether tensors of this dtype are read as float32. */
export function isFloat(dtype: string): dtype is StoredFloat {
  return dtype === "f32" || dtype === "f16" || dtype === "bf16" || dtype === "f64";
}

/** Whether tensors of this dtype are read as integers. */
export function isInteger(dtype: string): dtype is IntegerDtype {
  return Object.hasOwn(INTEGERS, dtype);
}

/**
 * Floats from their little-endian bytes: exactly, but for f64, which is rounded to nearest. `bytes`
 * must begin at a multiple of 8 in its buffer.
 */
export function decodeFloats(
  bytes: Uint8Array<ArrayBuffer>,
  dtype: StoredFloat,
): Float32Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = bytes;
  if (dtype === "f32") return new Float32Array(buffer, byteOffset, byteLength / 4);
  if (dtype === "f64") {
    return new Float32Array(new Float64Array(buffer, byteOffset, byteLength / 8));
  }
  if (dtype === "f16") {
    return new Float32Array(new Float16Array(buffer, byteOffset, byteLength / 2));
  }
  const half = new Uint16Array(buffer, byteOffset, byteLength / 2);
  const bits = new Uint32Array(half.length);
  for (let i = 0; i < half.length; i++) bits[i] = half[i] << 16;
  return new Float32Array(bits.buffer);
}

/** Integers from their little-endian bytes. `bytes` must begin at a multiple of 8 in its buffer. */
export function decodeIntegers(
  bytes: Uint8Array<ArrayBuffer>,
  dtype: IntegerDtype,
): Exclude<TensorData, Float32Array> {
  const { buffer, byteOffset, byteLength } = bytes;
  const Kind = INTEGERS[dtype];
  return new Kind(buffer, byteOffset, byteLength / Kind.BYTES_PER_ELEMENT);
}

/** The dtypes in which values of this kind can be stored, the usual one first. */
export function dtypesFor(data: TensorData): readonly StoredDtype[] {
  if (data instanceof Float32Array) return ["f32", "f16", "bf16", "f64"];
  return (Object.keys(INTEGERS) as IntegerDtype[]).filter((dtype) =>
    data instanceof INTEGERS[dtype]
  );
}

/** The bfloat16 nearest to a float32, a tie to the even one; both as bits. */
function bfloat16(bits: number): number {
  const nan = (bits & 0x7fffffff) > 0x7f800000;
  if (nan) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) / 0x10000) & 0xffff;
}

/** Float32 values as bytes of `dtype`, rounded to nearest, ties to even. */
export function encodeFloats(data: Float32Array, dtype: StoredFloat): Uint8Array {
  if (dtype === "f32") return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (dtype === "f64") return new Uint8Array(new Float64Array(data).buffer);
  if (dtype === "f16") return new Uint8Array(new Float16Array(data).buffer);
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const half = new Uint16Array(data.length);
  for (let i = 0; i < half.length; i++) half[i] = bfloat16(bits[i]);
  return new Uint8Array(half.buffer);
}

/** The first finite value too large for `dtype`, which would be stored as infinity. */
export function overflowOf(data: Float32Array, dtype: StoredFloat): number | undefined {
  if (dtype === "f32" || dtype === "f64") return undefined;
  // Halfway between the largest finite value and the next power of two rounds up to infinity.
  const limit = dtype === "f16" ? 65520 : 2 ** 128 * (1 - 2 ** -9);
  return data.find((value) => Math.abs(value) >= limit && Math.abs(value) < Infinity);
}
