/** Images and weights as libraries have them that put channels first. */
import type { Operand } from "./work.ts";

/** [batch, height, width, channels] to [batch, channels, height, width]; batch is 1. */
export function channelsFirst({ values, shape }: Operand): Operand {
  const [batch, height, width, channels] = shape;
  return {
    shape: [batch, channels, height, width],
    values: transpose(values, height * width, channels),
  };
}

/** The way back, of the values alone. */
export function channelsLast(values: Float32Array, channels: number): Float32Array {
  return transpose(values, channels, values.length / channels);
}

/** [kH, kW, Cin, Cout] to [Cout, Cin, kH, kW]. */
export function outputsFirst({ values, shape: [kH, kW, cin, cout] }: Operand): Operand {
  const area = kH * kW;
  const rows = transpose(values, area * cin, cout); // [cout, taps, cin]
  const found = new Float32Array(rows.length);
  for (let o = 0; o < cout; o++) {
    found.set(
      transpose(rows.subarray(o * area * cin, (o + 1) * area * cin), area, cin),
      o * area * cin,
    );
  }
  return { shape: [cout, cin, kH, kW], values: found };
}

/** [Cout, Cin, 3, 3] to [3, 3, Cin, Cout], of the values alone; as many inputs as outputs. */
export function outputsLast(values: Float32Array, channels: number): Float32Array {
  const area = channels ** 2;
  const taps = transpose(values, area, 9); // [taps, cout, cin]
  const found = new Float32Array(values.length);
  for (let tap = 0; tap < 9; tap++) {
    const matrix = taps.subarray(tap * area, (tap + 1) * area);
    found.set(transpose(matrix, channels, channels), tap * area);
  }
  return found;
}

function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const found = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      found[column * rows + row] = values[row * columns + column];
    }
  }
  return found;
}
