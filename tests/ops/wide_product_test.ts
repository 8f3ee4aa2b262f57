import type { Gpu } from "../../src/gpu/mod.ts";
import { product } from "../../src/ops/product.ts";
import { sum } from "../../src/ops/mod.ts";
import { withTile } from "../../src/ops/tile.ts";
import { addWideProduct, wideProduct, wideSums } from "../../src/ops/wide_product.ts";
import { fromArray, type Tensor } from "../../src/tensor/mod.ts";
import { assertClose, assertSame } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import { filled, type NDArray, toF32 } from "../support/reference.ts";

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
      () => read(gpu, () => wideProduct(gpu, a.storage, b.storage, extents)),
    );
    assertSame(found, expected);
    [a, b].forEach((tensor) => tensor.dispose());
  }
});

gpuTest("addWideProduct sums what comes in uneven pieces", async (gpu) => {
  for (
    const { m, n, pieces } of [
      { m: 4, n: 36, pieces: [4] },
      { m: 36, n: 32, pieces: [8, 4] },
      { m: 20, n: 60, pieces: [412, 412, 36] },
    ]
  ) {
    const batch = 2;
    const expected = filled([batch, m, n], 0);
    const inputs = pieces.map((k, i) => {
      const [a, b] = [[batch, k, m], [batch, k, n]].map((shape) => new Random(i).normal(shape));
      addProduct(expected, a, b);
      return { a, b, k };
    });
    const found = await flat(gpu, () =>
      read(gpu, () => {
        const sums = wideSums(gpu, { batch, m, n, k: Math.max(...pieces) });
        inputs.forEach((piece, i) => {
          const [a, b] = [piece.a, piece.b].map((x) => fromArray(gpu, toF32(x), x.shape).storage);
          addWideProduct(gpu, { a, b, k: piece.k, isFirst: i === 0 }, sums);
        });
        return sum(sums, { axes: [0] });
      }));
    assertClose(found, expected, { relative: 2e-6 });
  }
});

/** Adds aᵀ b in float64. */
function addProduct(y: NDArray, a: NDArray, b: NDArray): void {
  const [, m, n] = y.shape;
  const k = a.shape[1];
  for (let i = 0; i < y.data.length; i++) {
    const [matrix, row, column] = [Math.floor(i / (m * n)), Math.floor(i / n) % m, i % n];
    for (let step = matrix * k; step < (matrix + 1) * k; step++) {
      y.data[i] += a.data[step * m + row] * b.data[step * n + column];
    }
  }
}

function random(gpu: Gpu, shape: number[], seed: number): Tensor {
  return fromArray(gpu, toF32(new Random(seed).normal(shape)), shape);
}

function read(gpu: Gpu, work: () => Tensor): Promise<Float32Array> {
  using _scope = gpu.scope();
  return work().readF32();
}
