import { assertEquals, assertThrows } from "@std/assert";
import { scatterAdd } from "../../src/ops/mod.ts";
import { fromArray, full, ShapeError, type Tensor } from "../../src/tensor/mod.ts";
import { assertClose, assertSame } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { nd, type NDArray, toF32 } from "../support/reference.ts";

function run(
  gpu: Tensor["gpu"],
  indices: ArrayLike<number>,
  values: NDArray,
  rows: number,
): Promise<Float32Array> {
  using _scope = gpu.scope();
  const tokens = fromArray(gpu, Uint32Array.from(indices), [indices.length]);
  return scatterAdd(tokens, fromArray(gpu, toF32(values), values.shape), rows).readF32();
}

gpuTest("scatterAdd: float64 and finite differences", async (gpu) => {
  for (const [rows, channels, shape] of [[1, 1, [1]], [7, 5, [3, 5]], [300, 4, [33]]] as const) {
    const random = new Random(rows);
    const indices = random.integers(shape, rows);
    using tensor = fromArray(gpu, Uint32Array.from(indices.data), shape);
    await gradcheck({
      name: `scatterAdd [${shape}, ${channels}] into ${rows}`,
      inputs: [random.normal([...shape, channels])],
      op: ([values]) => scatterAdd(tensor, values, rows),
      reference: ([values]) => reference.scatterAdd(values, indices, rows),
    });
  }
});

gpuTest("scatterAdd: large tables, one code and many", async (gpu) => {
  const cases: [tokens: number, rows: number, codes: number, channels: number][] = [
    [5000, 65_536, 65_536, 4], // two digits of eight bits
    [5000, 1024, 1024, 8], // two of five
    [300, 70_000, 70_000, 3], // three of six
    [5000, 1024, 1, 4], // a collapsed codebook: two levels of partial sums
    [5000, 256, 3, 5],
  ];
  for (const [tokens, rows, codes, channels] of cases) {
    const random = new Random(tokens + rows + codes);
    const indices = random.integers([tokens], codes);
    const values = random.normal([tokens, channels]);
    const found = await flat(gpu, () => run(gpu, indices.data, values, rows));
    assertClose(found, reference.scatterAdd(values, indices, rows), {
      name: `${tokens} tokens of ${codes} codes`,
      relative: 1e-6,
    });
  }
});

gpuTest("scatterAdd: a row's sum is taken in the order of its tokens", async (gpu) => {
  const random = new Random(8);
  const indices = random.integers([700], 13);
  const values = random.normal([700, 4]);
  const expected = new Float32Array(13 * 4);
  indices.data.forEach((row, token) => { // at most 64 tokens a row: one running sum in float32
    for (let c = 0; c < 4; c++) expected[row * 4 + c] += values.data[token * 4 + c];
  });
  assertSame(await run(gpu, indices.data, values, 13), expected);
});

gpuTest("scatterAdd: a long row alone gives the same bits", async (gpu) => {
  const random = new Random(9);
  const indices = Array.from(random.integers([3000], 4).data);
  const values = random.normal([3000, 4]);
  const own = indices.flatMap((row, token) => (row === 2 ? [token] : []));
  const alone = nd([own.length, 4], own.flatMap((t) => [...values.data.slice(4 * t, 4 * t + 4)]));
  const all = await run(gpu, indices, values, 4);
  assertSame(await run(gpu, own.map(() => 0), alone, 1), all.slice(8, 12));
});

gpuTest(
  "scatterAdd: an index past the end adds to the last row; no tokens give zeros",
  async (gpu) => {
    const values = nd([3, 1], [1, 2, 4]);
    assertSame(await run(gpu, [2, 9, 0], values, 3), [4, 0, 3]);
    assertSame(await run(gpu, [], nd([0, 2], []), 2), [0, 0, 0, 0]);
  },
);

gpuTest("scatterAdd: what does not fit is refused", (gpu) => {
  using _scope = gpu.scope();
  const indices = fromArray(gpu, new Uint32Array(3), [3]);
  const values = full(gpu, [3, 2], 1);
  assertThrows(() => scatterAdd(indices, full(gpu, [2, 2], 1), 4), ShapeError, "[2, 2]");
  assertThrows(() => scatterAdd(indices, full(gpu, [3], 1), 4), ShapeError, "one axis more");
  assertThrows(() => scatterAdd(values, values, 4), ShapeError, "indices is f32");
  assertThrows(() => scatterAdd(indices, values, 0), RangeError, "rows is 0");
  assertEquals(scatterAdd(indices, values, 4).shape, [4, 2]);
});
