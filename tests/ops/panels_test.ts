import type { Gpu } from "../../src/gpu/mod.ts";
import { align } from "../../src/ops/fit.ts";
import { multiplyPanels } from "../../src/ops/panels.ts";
import { type AlignedProduct, multiplyTiles } from "../../src/ops/tile_product.ts";
import { empty, fromArray } from "../../src/tensor/mod.ts";
import { assertBits } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import { toF32 } from "../support/reference.ts";

/** A product without its storages. */
type Form = Omit<AlignedProduct, "a" | "b" | "bias" | "y">;

const plain = { transposeA: false, transposeB: false, shareA: false, shareB: false };
const whole = { batch: 1, splits: 1, ...plain };

const forms: Record<string, Form> = {
  "one tile": { ...whole, m: 16, n: 16, k: 4, chunk: 4 },
  "tiles that overlap": { ...whole, m: 20, n: 41, k: 7, chunk: 8 },
  "a stored as panels": { ...whole, m: 36, n: 30, k: 5, chunk: 8, transposeA: true },
  "b turned": { ...whole, m: 24, n: 35, k: 9, chunk: 12, transposeB: true },
  "both turned": { ...whole, m: 24, n: 16, k: 3, chunk: 4, transposeA: true, transposeB: true },
  "a batch": { ...whole, batch: 3, m: 20, n: 36, k: 6, chunk: 8 },
  "a batch of b turned": { ...whole, batch: 3, m: 20, n: 18, k: 6, chunk: 8, transposeB: true },
  "a shared": { ...whole, batch: 3, m: 20, n: 36, k: 6, chunk: 8, shareA: true },
  "b shared": { ...whole, batch: 3, m: 16, n: 17, k: 6, chunk: 8, shareB: true },
  "a sum in parts": {
    ...{ ...whole, batch: 2, m: 16, n: 24, k: 30 },
    ...{ transposeA: true, splits: 4, chunk: 8 },
  },
  "rows that are no multiple of 4": { ...whole, m: 50, n: 24, k: 7, chunk: 8 },
  "few more rows than a tile": { ...whole, batch: 2, m: 17, n: 41, k: 7, chunk: 8 },
  "such a stored as panels": { ...whole, batch: 3, m: 21, n: 18, k: 5, chunk: 8, transposeA: true },
  "such a sum in parts": {
    ...{ ...whole, batch: 2, m: 19, n: 24, k: 30 },
    ...{ transposeA: true, splits: 4, chunk: 8 },
  },
  // More than the workspace holds: rows of one matrix, and matrices of a batch, come in pieces.
  "rows in pieces": { ...whole, m: 1029, n: 16, k: 2100, chunk: 2100 },
  "rows of a batch in pieces": { ...whole, batch: 2, m: 1028, n: 16, k: 2100, chunk: 2100 },
  "a batch in pieces": { ...whole, batch: 5, m: 512, n: 16, k: 1024, chunk: 1024 },
};

for (const [name, form] of Object.entries(forms)) {
  gpuTest(`panels: the bits of other tiles (${name})`, async (gpu) => {
    await flat(gpu, async () => {
      const expected = await multiplied(gpu, form, (work) => multiplyTiles(gpu, "registers", work));
      const found = await multiplied(gpu, form, (work) => multiplyPanels(gpu, work));
      assertBits(found, expected);
    });
  });
}

gpuTest("panels: a sum that comes in pieces is one chain", async (gpu) => {
  const [batch, m, n, k] = [2, 20, 36, 11];
  const form = { ...whole, batch, m, n, transposeA: true };
  const random = new Random(5);
  const rows = [m, n].map((width) => toF32(random.normal([batch, k, width])));
  await flat(gpu, async () => {
    const expected = await summed(gpu, { ...form, k, chunk: 12 }, rows, [k]);
    assertBits(await summed(gpu, { ...form, k, chunk: 12 }, rows, [4, 1, 6]), expected);
  });
});

/** aᵀ b, of which come so many steps of k at a time. */
function summed(
  gpu: Gpu,
  form: Form,
  [a, b]: Float32Array[],
  lengths: number[],
): Promise<Float32Array> {
  using _scope = gpu.scope();
  const { batch, m, n, k } = form;
  const y = empty(gpu, [batch, m, n]);
  let first = 0;
  for (const length of lengths) {
    const [left, right] = [{ values: a, width: m }, { values: b, width: n }].map((side) => {
      const part = side.values.filter((_, i) => {
        const step = Math.floor(i / side.width) % k;
        return step >= first && step < first + length;
      });
      return fromArray(gpu, part, [batch, length, side.width]).storage;
    });
    const work = { ...form, k: length, a: left, b: right, bias: undefined, y: y.storage };
    multiplyPanels(gpu, { ...work, adds: first > 0 });
    first += length;
  }
  return y.readF32();
}

/** The product of random matrices, with a bias unless it is summed in parts. */
async function multiplied(gpu: Gpu, form: Form, multiply: Multiply): Promise<Float32Array> {
  const values = await dispatched(gpu, form, multiply);
  const { n } = form;
  return values.filter((_, i) => i % align(n) < n); // what fills up a row may be anything
}

type Multiply = (work: AlignedProduct) => void;

function dispatched(gpu: Gpu, form: Form, multiply: Multiply): Promise<Float32Array> {
  using _scope = gpu.scope();
  const { batch, m, n, k, splits, transposeA, transposeB, shareA, shareB } = form;
  const random = new Random(m + n + k);
  const upload = (count: number, rows: number, columns: number) =>
    fromArray(gpu, padded(random, count * rows, columns), [count, rows, align(columns)]).storage;
  const [countA, countB] = [shareA ? 1 : batch, shareB ? 1 : batch];
  const a = transposeA ? upload(countA, k, m) : upload(countA, m, k);
  const b = transposeB ? upload(countB, n, k) : upload(countB, k, n);
  const bias = splits === 1 ? upload(1, 1, n) : undefined;
  const y = empty(gpu, [splits, batch * m, align(n)]);
  multiply({ ...form, a, b, bias, y: y.storage });
  return y.readF32();
}

/** Random rows, filled up with zeros to a multiple of 4. */
function padded(random: Random, rows: number, used: number): Float32Array {
  const columns = align(used);
  return toF32(random.normal([rows, columns])).map((x, i) => i % columns < used ? x : 0);
}
