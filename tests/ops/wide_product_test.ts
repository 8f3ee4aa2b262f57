import type { Gpu } from "../../src/gpu/mod.ts";
import { product } from "../../src/ops/matmul.ts";
import { withTile } from "../../src/ops/tile.ts";
import { wideProduct } from "../../src/ops/wide_product.ts";
import { fromArray, type Tensor } from "../../src/tensor/mod.ts";
import { assertClose, assertSame } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import { filled, toF32 } from "../support/reference.ts";

const cases = [
  { batch: 1, m: 1, n: 4, k: 4 },
  { batch: 3, m: 7, n: 36, k: 8 },
  { batch: 2, m: 33, n: 32, k: 20 },
  { batch: 2, m: 16, n: 60, k: 4 },
];

gpuTest("wideProduct has the bits of product", async (gpu) => {
  for (const extents of cases) {
    const { batch, m, n, k } = extents;
    const [a, b] = [random(gpu, [batch, m, k], 1), random(gpu, [batch, k, n], 2)];
    const [left, right] = [a, b].map(({ storage }) => ({
      storage,
      transposed: false,
      shared: false,
    }));
    const expected = await withTile(
      "registers",
      () => product(gpu, left, right, { ...extents, output: [batch, m, n] }).readF32(),
    );
    const found = await flat(
      gpu,
      () => read(gpu, () => wideProduct(gpu, a.storage, b.storage, extents, false)),
    );
    assertSame(found, expected);
    [a, b].forEach((tensor) => tensor.dispose());
  }
});

gpuTest("wideProduct: a stored as [k, m], with k summed in parts", async (gpu) => {
  for (const extents of [...cases.slice(1), { batch: 2, m: 36, n: 20, k: 412 }]) {
    const { batch, n, k } = extents;
    const m = Math.ceil(extents.m / 4) * 4;
    const [a, b] = [[batch, k, m], [batch, k, n]].map((shape, i) => new Random(i).normal(shape));
    const expected = filled([batch, m, n], 0);
    for (let i = 0; i < expected.data.length; i++) {
      const [matrix, row, column] = [Math.floor(i / (m * n)), Math.floor(i / n) % m, i % n];
      for (let step = matrix * k; step < (matrix + 1) * k; step++) {
        expected.data[i] += a.data[step * m + row] * b.data[step * n + column];
      }
    }
    const found = await read(gpu, () => {
      const [left, right] = [a, b].map((x) => fromArray(gpu, toF32(x), x.shape).storage);
      return wideProduct(gpu, left, right, { ...extents, m }, true);
    });
    assertClose(found, expected, { relative: 2e-6 });
  }
});

function random(gpu: Gpu, shape: number[], seed: number): Tensor {
  return fromArray(gpu, toF32(new Random(seed).normal(shape)), shape);
}

function read(gpu: Gpu, work: () => Tensor): Promise<Float32Array> {
  using _scope = gpu.scope();
  return work().readF32();
}
