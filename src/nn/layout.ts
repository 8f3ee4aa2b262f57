import type { Shape } from "../tensor/mod.ts";

/**
 * How a parameter's axes differ between weight files and the GPU. Files hold a convolution's weight as
 * PyTorch does, [out, in, height, width]; kernels read along output channels: [height, width, in, out].
 */
export type Layout = "plain" | "conv2d";

/** The shape on the GPU of a parameter that has `shape` in weight files. */
export function onGpuShape(shape: Shape, layout: Layout): Shape {
  if (layout === "plain") return shape;
  const [out, input, height, width] = shape;
  return [height, width, input, out];
}

/** Reorders values from the layout of weight files to the GPU's. */
export function fromFileLayout(data: Float32Array, shape: Shape, layout: Layout): Float32Array {
  if (layout === "plain") return data;
  const result = new Float32Array(data.length);
  forEachWeight(shape, (inFile, onGpu) => result[onGpu] = data[inFile]);
  return result;
}

/** Reorders values from the GPU's layout to that of weight files. */
export function toFileLayout(
  data: Float32Array,
  shape: Shape,
  layout: Layout,
): Float32Array<ArrayBuffer> {
  const result = new Float32Array(data);
  if (layout === "conv2d") forEachWeight(shape, (inFile, onGpu) => result[inFile] = data[onGpu]);
  return result;
}

/** Visits every weight of a convolution with its index in the file and on the GPU. */
function forEachWeight(shape: Shape, visit: (inFile: number, onGpu: number) => void): void {
  const [out, input, height, width] = shape;
  const taps = height * width;
  let inFile = 0;
  for (let o = 0; o < out; o++) {
    for (let i = 0; i < input; i++) {
      for (let tap = 0; tap < taps; tap++) visit(inFile++, (tap * input + i) * out + o);
    }
  }
}
