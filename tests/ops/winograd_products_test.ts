import type { Gpu } from "../../src/gpu/mod.ts";
import { sum } from "../../src/ops/mod.ts";
import { withKind, withTile } from "../../src/ops/tile.ts";
import { addProducts, multiply, sumsOf } from "../../src/ops/winograd_products.ts";
import { fromArray, type Tensor } from "../../src/tensor/mod.ts";
import { assertBits, assertClose } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import { filled, type NDArray, toF32 } from "../support/reference.ts";

const cases = [
  { batch: 1, m: 1, n: 4, k: 4 },
  { batch: 3, m: 7, n: 36, k: 8 },
  { batch: 2, m: 33, n: 32, k: 20 },
  { batch: 2, m: 16, n: 60, k: 4 },
  { batch: 36, m: 48, n: 52, k: 20 },
];

gpuTest("winograd's products have the same bits in every tile", async (gpu) => {
  for (const extents of cases) {
    const { batch, m, n, k } = extents;
    const [a, b] = [random(gpu, [batch, m, k], 1), random(gpu, [batch, k, n], 2)];
    const compute = () => read(gpu, () => multiply(gpu, a.storage, b.storage, extents));
    const expected = await withTile("registers", compute);
    for (const tile of ["wide", "wide32", "shared64"] as const) {
      assertBits(await flat(gpu, () => withTile(tile, compute)), expected, `${tile}, ${m} by ${n}`);
    }
    [a, b].forEach((tensor) => tensor.dispose());
  }
});

for (const kind of ["cpu", "gpu"] as const) {
  gpuTest(`winograd's sums of products in uneven pieces, as on a ${kind}`, async (gpu) => {
    for (
      const { m, n, pieces } of [
        { m: 4, n: 36, pieces: [4, 12] },
        { m: 36, n: 32, pieces: [8, 4] },
        { m: 20, n: 60, pieces: [412, 412, 36] },
      ]
    ) {
      await withKind(kind, () => compareSums(gpu, m, n, pieces));
    }
  });
}

async function compareSums(gpu: Gpu, m: number, n: number, pieces: number[]): Promise<void> {
  const batch = 2;
  const expected = filled([batch, m, n], 0);
  const inputs = pieces.map((k, i) => {
    const [a, b] = [[batch, k, m], [batch, k, n]].map((shape) => new Random(i).normal(shape));
    addProduct(expected, a, b);
    return { a, b, k };
  });
  const found = await flat(gpu, () =>
    read(gpu, () => {
      const sums = sumsOf(gpu, { batch, m, n, k: Math.max(...pieces) });
      inputs.forEach((piece, i) => {
        const [a, b] = [piece.a, piece.b].map((x) => fromArray(gpu, toF32(x), x.shape).storage);
        addProducts(gpu, { a, b, k: piece.k, isFirst: i === 0 }, sums);
      });
      return sum(sums, { axes: [0] });
    }));
  assertClose(found, expected, { relative: 2e-6 });
}

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
