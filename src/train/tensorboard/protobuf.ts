/** Fields of a protocol buffer message, each encoded. */
export type Fields = readonly Uint8Array[];

/** Ways in which a field's value is written, by the number that stands for it. */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** A whole number from 0 up. */
export function varintField(field: number, value: number): Uint8Array {
  return joined([varint(field << 3 | VARINT), varint(value)]);
}

/** A double. */
export function doubleField(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return joined([varint(field << 3 | FIXED64), bytes]);
}

/** A float. */
export function floatField(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return joined([varint(field << 3 | FIXED32), bytes]);
}

/** Bytes, a text in UTF-8, or a message. */
export function bytesField(field: number, value: Uint8Array | string | Fields): Uint8Array {
  const bytes = typeof value === "string"
    ? new TextEncoder().encode(value)
    : value instanceof Uint8Array
    ? value
    : joined(value);
  return joined([varint(field << 3 | BYTES), varint(bytes.length), bytes]);
}

/** Parts one after the other. */
export function joined(parts: Fields): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Seven bits a byte, the lowest first; all but the last have their highest bit set. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push(value % 128 + 128);
  return Uint8Array.from([...bytes, value]);
}

/** The varint at an offset. */
export function readVarint(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let factor = 1;; factor *= 128, at++) {
    value += bytes[at] % 128 * factor;
    if (bytes[at] < 128) return value;
  }
}
