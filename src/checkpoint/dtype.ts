/** How a float tensor is stored. All three are read as float32. */
export type FloatDtype = "f32" | "f16" | "bf16";

/** How an integer tensor is stored. */
export type IntegerDtype = "i64" | "i32" | "u8" | "bool";

/** Every storage format that is read and written here. */
export type StoredDtype = FloatDtype | IntegerDtype;

/** The values of a tensor: floats as float32, i64 as BigInt64Array, bool and u8 as bytes. */
export type TensorData = Float32Array | BigInt64Array | Int32Array | Uint8Array;

/** Bytes per element of the dtypes a safetensors file may name, also of those not read here. */
export const BYTES_PER_ELEMENT: ReadonlyMap<string, number> = new Map([
  ...["f64", "i64", "u64"].map((name): [string, number] => [name, 8]),
  ...["f32", "i32", "u32"].map((name): [string, number] => [name, 4]),
  ...["f16", "bf16", "i16", "u16"].map((name): [string, number] => [name, 2]),
  ...["i8", "u8", "bool", "f8_e4m3", "f8_e5m2"].map((name): [string, number] => [name, 1]),
]);

/** Whether tensors of this dtype are read as float32. */
export function isFloat(dtype: string): dtype is FloatDtype {
  return dtype === "f32" || dtype === "f16" || dtype === "bf16";
}

/** Whether tensors of this dtype are read as integers. */
export function isInteger(dtype: string): dtype is IntegerDtype {
  return dtype === "i64" || dtype === "i32" || dtype === "u8" || dtype === "bool";
}

/** Floats from their little-endian bytes, exactly. `bytes` must begin at a multiple of 4 in its buffer. */
export function decodeFloats(
  bytes: Uint8Array<ArrayBuffer>,
  dtype: FloatDtype,
): Float32Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = bytes;
  if (dtype === "f32") return new Float32Array(buffer, byteOffset, byteLength / 4);
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
): BigInt64Array | Int32Array | Uint8Array {
  const { buffer, byteOffset, byteLength } = bytes;
  if (dtype === "i64") return new BigInt64Array(buffer, byteOffset, byteLength / 8);
  if (dtype === "i32") return new Int32Array(buffer, byteOffset, byteLength / 4);
  return bytes;
}

/** The bfloat16 nearest to a float32, a tie to the even one; both as bits. */
function bfloat16(bits: number): number {
  const nan = (bits & 0x7fffffff) > 0x7f800000;
  if (nan) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) / 0x10000) & 0xffff;
}

/** Float32 values as bytes of `dtype`, rounded to nearest, ties to even. */
export function encodeFloats(data: Float32Array, dtype: FloatDtype): Uint8Array {
  if (dtype === "f32") return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (dtype === "f16") return new Uint8Array(new Float16Array(data).buffer);
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const half = new Uint16Array(data.length);
  for (let i = 0; i < half.length; i++) half[i] = bfloat16(bits[i]);
  return new Uint8Array(half.buffer);
}

/** The first finite value too large for `dtype`, which would be stored as infinity. */
export function overflowOf(data: Float32Array, dtype: FloatDtype): number | undefined {
  if (dtype === "f32") return undefined;
  // Halfway between the largest finite value and the next power of two rounds up to infinity.
  const limit = dtype === "f16" ? 65520 : 2 ** 128 * (1 - 2 ** -9);
  return data.find((value) => Math.abs(value) >= limit && Math.abs(value) < Infinity);
}
