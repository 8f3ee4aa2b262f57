import type { TensorFile } from "./source.ts";

/**
 * A convolution's weight with its adapter written into it, `W + up·down` (SPEC section 4), in the layout
 * of weight files. Computed in float64 and rounded once.
 *
 * @param weights The file's tensors under LDM's names.
 * @param conv The convolution's name.
 * @throws {CheckpointError} where a tensor is missing or the shapes do not fit each other.
 */
export async function fusedWeight(
  weights: TensorFile,
  conv: string,
): Promise<Float32Array<ArrayBuffer>> {
  const [out, input, height, width] = weights.info(`${conv}.weight`).shape;
  const adapter = `${conv}.lora_layer`;
  const [rank] = weights.info(`${adapter}.down.weight`).shape;
  const result = await weights.floats(`${conv}.weight`);
  const down = await weights.floats(`${adapter}.down.weight`, [rank, input, height, width]);
  const up = await weights.floats(`${adapter}.up.weight`, [out, rank, 1, 1]);
  const size = input * height * width;
  const row = new Float64Array(size);
  for (let o = 0; o < out; o++) {
    row.set(result.subarray(o * size, (o + 1) * size));
    for (let r = 0; r < rank; r++) addScaled(row, down, r * size, up[o * rank + r]);
    result.set(row, o * size);
  }
  return result;
}

/** `row += factor · values[from …]`. */
function addScaled(row: Float64Array, values: Float32Array, from: number, factor: number): void {
  for (let k = 0; k < row.length; k++) row[k] += factor * values[from + k];
}
