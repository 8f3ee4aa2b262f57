import { assertEquals } from "@std/assert";
import {
  decodeFloats,
  encodeFloats,
  type FloatDtype,
  overflowOf,
} from "../../src/checkpoint/dtype.ts";

/** The value of a 16-bit float with `exponentBits`, by the definition of IEEE 754. */
function valueOf(bits: number, exponentBits: number): number {
  const fractionBits = 15 - exponentBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> fractionBits) & (2 ** exponentBits - 1);
  const fraction = (bits & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias);
  return sign * (1 + fraction) * 2 ** (exponent - bias);
}

const formats: [FloatDtype, number][] = [["f16", 5], ["bf16", 8]];
const everyBits = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

/** The bits of the nearest finite number of the format, a tie going to the even one. */
function nearest(value: number, exponentBits: number): number {
  const magnitude = Math.abs(value);
  let low = 0;
  let high = (2 ** exponentBits - 1) << (15 - exponentBits);
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (valueOf(middle, exponentBits) <= magnitude) low = middle;
    else high = middle;
  }
  const below = magnitude - valueOf(low, exponentBits);
  const above = valueOf(high, exponentBits) - magnitude;
  const up = above < below || (above === below && high % 2 === 0);
  return (up ? high : low) | (value < 0 || Object.is(value, -0) ? 0x8000 : 0);
}

for (const [dtype, exponentBits] of formats) {
  Deno.test(`${dtype}: every bit pattern is read exactly`, () => {
    const values = decodeFloats(new Uint8Array(everyBits.buffer), dtype);
    assertEquals(values.length, 65536);
    values.forEach((value, bits) => {
      if (!Object.is(value, valueOf(bits, exponentBits))) {
        throw new Error(`bits ${bits} read as ${value}, are ${valueOf(bits, exponentBits)}`);
      }
    });
  });

  Deno.test(`${dtype}: every number read is written back to the same bits`, () => {
    const values = decodeFloats(new Uint8Array(everyBits.buffer), dtype);
    const back = new Uint16Array(encodeFloats(values, dtype).buffer);
    back.forEach((bits, i) => {
      const same = Number.isNaN(values[i]) ? Number.isNaN(valueOf(bits, exponentBits)) : bits === i;
      if (!same) throw new Error(`bits ${i} came back as ${bits}`);
    });
  });

  Deno.test(`${dtype}: writing rounds to nearest, ties to even`, () => {
    const values: number[] = [0, -0, 1e-40, -1e-10, 3e-8, 2.98e-8, 65503, 0.1, -Math.PI];
    for (let bits = 0; bits < 0x7b00; bits += 97) {
      const [a, b] = [valueOf(bits, exponentBits), valueOf(bits + 1, exponentBits)];
      values.push((a + b) / 2, -(a + b) / 2, a + (b - a) * 0.49, a + (b - a) * 0.51);
    }
    const floats = Float32Array.from(values);
    const bits = new Uint16Array(encodeFloats(floats, dtype).buffer);
    floats.forEach((value, i) => {
      const expected = nearest(value, exponentBits);
      if (bits[i] !== expected) throw new Error(`${value}: bits ${bits[i]}, expected ${expected}`);
    });
  });

  Deno.test(`${dtype}: overflow begins halfway beyond the largest number`, () => {
    const top = ((2 ** exponentBits - 1) << (15 - exponentBits)) - 1;
    const largest = valueOf(top, exponentBits);
    const step = largest - valueOf(top - 1, exponentBits);
    const [under, over] = [Math.fround(largest + step * 0.499), Math.fround(largest + step / 2)];
    assertEquals(overflowOf(new Float32Array([-largest, under, Infinity, NaN]), dtype), undefined);
    assertEquals(overflowOf(new Float32Array([1, -over]), dtype), -over);
    const written = decodeFloats(
      encodeFloats(new Float32Array([under, over]), dtype) as Uint8Array<ArrayBuffer>,
      dtype,
    );
    assertEquals([...written], [largest, Infinity]);
  });
}
