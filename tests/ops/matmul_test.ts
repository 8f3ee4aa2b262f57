import { assertEquals, assertThrows } from "@std/assert";
import type { Gpu } from "../../src/gpu/mod.ts";
import { matmul, type MatmulOptions } from "../../src/ops/matmul.ts";
import { type Tile, withTile } from "../../src/ops/tile.ts";
import {
  fromArray,
  full,
  gradients,
  ShapeError,
  type Tensor,
  zeros,
} from "../../src/tensor/mod.ts";
import { assertBits, assertClose, assertSame } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { type NDArray, toF32 } from "../support/reference.ts";
import { torchcheck } from "../support/torchcheck.ts";

const tiles: Tile[] = ["registers", "wide", "shared32", "shared64", "shared128"];

/** [batch of a, batch of b, M, K, N] */
const cases: [number[], number[], number, number, number][] = [
  [[], [], 1, 1, 1],
  [[], [], 3, 5, 7],
  [[], [], 9, 8, 12],
  [[], [], 33, 66, 65],
  [[], [], 132, 90, 92],
  [[2], [2], 5, 3, 4],
  [[2, 3], [2, 3], 7, 10, 5],
  [[3], [], 11, 6, 9],
];

const forms: Pick<MatmulOptions, "transposeA" | "transposeB">[] = [
  {},
  { transposeA: true },
  { transposeB: true },
  { transposeA: true, transposeB: true },
];

function stored(batch: number[], rows: number, columns: number, transposed = false): number[] {
  return [...batch, ...(transposed ? [columns, rows] : [rows, columns])];
}

for (const tile of tiles) {
  for (const form of forms) {
    const how = Object.keys(form).join(" and ") || "as stored";
    gpuTest(`matmul, ${tile}, ${how}: float64 and finite differences`, async () => {
      for (const [batchA, batchB, m, k, n] of cases) {
        const random = new Random(m + 7 * k + 31 * n);
        const a = random.normal(stored(batchA, m, k, form.transposeA));
        const b = random.normal(stored(batchB, k, n, form.transposeB));
        const bias = random.normal([n]);
        await withTile(tile, () =>
          gradcheck({
            name: `matmul [${a.shape}] [${b.shape}] ${how}`,
            inputs: [a, b, bias],
            coordinates: 16,
            op: ([a, b, bias]) => matmul(a, b, { ...form, bias }),
            reference: ([a, b, bias]) => reference.add(reference.matmul(a, b, form), bias),
          }));
      }
    });
  }

  gpuTest(`matmul, ${tile}: a weight's gradient over 5,003 rows, summed in parts`, async (gpu) => {
    const random = new Random(4);
    const x = random.normal([5003, 6]);
    const dy = random.normal([5003, 5]);
    const expected = reference.matmul(x, dy, { transposeA: true });
    const ones = reference.filled([5], 1);
    await withTile(tile, async () => {
      const form = { transposeA: true };
      const found = await run(gpu, () => matmul(upload(gpu, x), upload(gpu, dy), form));
      assertClose(found, expected, { relative: 1e-6 });
      const raised = await run(gpu, () => {
        return matmul(upload(gpu, x), upload(gpu, dy), { ...form, bias: upload(gpu, ones) });
      });
      assertClose(raised, reference.add(expected, ones), { relative: 1e-5 });
    });
  });

  gpuTest(
    `matmul, ${tile}: equals PyTorch's`,
    () => withTile(tile, () => torchcheck("matmul", ([a, b], options) => matmul(a, b, options))),
  );

  gpuTest(`matmul, ${tile}: a row alone gives the bits it has among others`, async (gpu) => {
    for (const [m, k, n] of [[67, 70, 36], [9, 33, 5], [901, 640, 36]]) {
      const random = new Random(k);
      const a = random.normal([m, k]);
      const b = random.normal([k, n]);
      await withTile(tile, async () => {
        const together = await run(gpu, () => matmul(upload(gpu, a), upload(gpu, b)));
        for (const row of [0, 3, m - 1]) {
          const one = reference.nd([1, k], a.data.slice(row * k, (row + 1) * k));
          const alone = await run(gpu, () => matmul(upload(gpu, one), upload(gpu, b)));
          assertSame(alone, together.subarray(row * n, (row + 1) * n), `row ${row}`);
        }
      });
    }
  });
}

gpuTest("matmul and its gradients have the same bits in every tile", async (gpu) => {
  const random = new Random(8);
  const shapes: [number[], number[], MatmulOptions][] = [
    [[19, 37], [37, 13], {}],
    [[148, 90], [90, 132], {}],
    [[2, 100, 60], [2, 92, 60], { transposeB: true }],
    [[3, 70, 68], [3, 70, 76], { transposeA: true }],
    [[4099, 36], [4099, 40], { transposeA: true }],
  ];
  for (const [ofA, ofB, options] of shapes) {
    const [a, b] = [random.normal(ofA), random.normal(ofB)];
    const compute = () =>
      runAll(gpu, () => {
        const inputs = [upload(gpu, a), upload(gpu, b)].map((tensor) => tensor.requireGrad());
        const y = matmul(inputs[0], inputs[1], options);
        return [y, ...gradients(y, inputs, { seed: full(gpu, y.shape, 0.3) })];
      });
    const expected = await withTile("registers", compute);
    for (const tile of tiles) {
      const found = await withTile(tile, compute);
      found.forEach((values, i) => assertBits(values, expected[i], `${tile}, [${ofA}], ${i}`));
    }
  }
});

gpuTest("matmul leaves no bytes behind", async (gpu) => {
  await flat(gpu, () => {
    using _scope = gpu.scope();
    const a = full(gpu, [5, 301, 3], 1).requireGrad();
    const b = full(gpu, [3, 6], 1).requireGrad();
    const bias = full(gpu, [6], 1).requireGrad();
    const y = matmul(a, b, { bias });
    gradients(y, [a, b, bias], { seed: full(gpu, y.shape, 1) });
  });
  const a = full(gpu, [3, 3], 1);
  const before = gpu.memory.live;
  const y = matmul(a, a); // outside of any scope only the result remains
  assertEquals(gpu.memory.live - before, 36);
  y.dispose();
  a.dispose();
});

gpuTest("matmul holds an operand only for the other one's gradient", (gpu) => {
  using _scope = gpu.scope();
  const a = full(gpu, [7, 3], 1).requireGrad();
  const b = full(gpu, [3, 5], 1);
  const bias = full(gpu, [5], 1).requireGrad();
  const y = matmul(a, b, { bias });
  assertEquals(y.node!.saved.map(({ shape }) => shape), [[3, 5]]);
});

gpuTest("matmul refuses what does not fit", (gpu) => {
  using _scope = gpu.scope();
  const a = zeros(gpu, [2, 3, 4]);
  const refused: [() => Tensor, string][] = [
    [() => matmul(a, zeros(gpu, [5, 6])), "K = 4, b has K = 5"],
    [() => matmul(a, zeros(gpu, [3, 4]), { transposeA: true, transposeB: true }), "K = 3"],
    [() => matmul(a, zeros(gpu, [3, 4, 5])), "[2, 3, 4] and b [3, 4, 5]"],
    [() => matmul(zeros(gpu, [4]), a), "at least 2 axes"],
    [() => matmul(a, zeros(gpu, [4, 0])), "one element"],
    [() => matmul(a, zeros(gpu, [4, 5], "u32")), "b is u32"],
    [() => matmul(a, zeros(gpu, [4, 5]), { bias: zeros(gpu, [4]) }), "expected [5]"],
  ];
  for (const [work, message] of refused) assertThrows(work, ShapeError, message);
});

function upload(gpu: Gpu, x: NDArray): Tensor {
  return fromArray(gpu, toF32(x), x.shape);
}

function runAll(gpu: Gpu, work: () => Tensor[]): Promise<Float32Array[]> {
  using _scope = gpu.scope();
  return Promise.all(work().map((tensor) => tensor.readF32()));
}

function run(gpu: Gpu, work: () => Tensor): Promise<Float32Array> {
  using _scope = gpu.scope();
  return work().readF32();
}
