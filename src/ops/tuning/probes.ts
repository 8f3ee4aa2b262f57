import type { Gpu } from "../../gpu/mod.ts";
import { zeros } from "../../tensor/mod.ts";
import { convolve, type Geometry, weightGradient } from "../convolve.ts";
import { product } from "../product.ts";
import { kindOf, type Slot } from "../tile.ts";
import { multiply } from "../winograd_products.ts";

/** How large the work is: a CPU takes milliseconds for what a GPU hardly notices. */
const SIZES = {
  cpu: { product: 256, small: 256, frequencies: [36, 112, 64], image: [1, 32, 32, 64] },
  gpu: { product: 1024, small: 256, frequencies: [36, 1024, 128], image: [4, 64, 64, 128] },
};

/** Records work that shows how fast a tile is: typical of its slot, and long enough to be measured. */
export function recordProbe(gpu: Gpu, slot: Slot): void {
  using _scope = gpu.scope();
  const { product, small, frequencies, image } = SIZES[kindOf(gpu)];
  switch (slot) {
    case "matmul":
      return recordProduct(gpu, product);
    case "smallMatmul":
      return recordProduct(gpu, small);
    case "winograd":
      return recordFrequencies(gpu, frequencies);
    case "convolution":
      return recordConvolution(gpu, image);
    case "weightGradient":
      return recordWeightGradient(gpu, image);
  }
}

function recordProduct(gpu: Gpu, size: number): void {
  const [a, b] = [1, 2].map(() => {
    const { storage } = zeros(gpu, [size, size]);
    return { storage, transposed: false, shared: false };
  });
  product(gpu, a, b, { batch: 1, m: size, n: size, k: size, output: [size, size] });
}

function recordFrequencies(gpu: Gpu, [batch, m, n]: readonly number[]): void {
  const [a, b] = [zeros(gpu, [batch, m, n]), zeros(gpu, [batch, n, n])];
  multiply(gpu, a.storage, b.storage, { batch, m, n, k: n });
}

function recordConvolution(gpu: Gpu, image: readonly number[]): void {
  const channels = image[3];
  const weight = zeros(gpu, [3, 3, channels, channels]);
  convolve(zeros(gpu, image), weight, undefined, geometryOf(image), "f32");
}

function recordWeightGradient(gpu: Gpu, image: readonly number[]): void {
  weightGradient(zeros(gpu, image), zeros(gpu, image), geometryOf(image));
}

/** A 3×3 convolution that changes neither the image's size nor its channels. */
function geometryOf([batch, height, width, channels]: readonly number[]): Geometry {
  const image = [height, width];
  const sides = { stride: 1, top: 1, left: 1 };
  return { batch, image, cin: channels, kernel: [3, 3], output: image, cout: channels, ...sides };
}
