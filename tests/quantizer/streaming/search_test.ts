import { assert, assertEquals } from "@std/assert";
import type { Gpu } from "../../../src/gpu/mod.ts";
import { argmax, concat, matmul, max } from "../../../src/ops/mod.ts";
import { withKind } from "../../../src/ops/tile.ts";
import { search, searchWithMargins } from "../../../src/quantizer/streaming/search.ts";
import { fromArray, normal, Random, type Shape, type Tensor } from "../../../src/tensor/mod.ts";
import { assertSame } from "../../support/compare.ts";
import { flat, gpuTest } from "../../support/gpu.ts";

/** Queries, and keys of which some are equal to others, so that logits tie. */
function rows(gpu: Gpu, tokens: Shape, codes: number, channels: number): [Tensor, Tensor] {
  const query = normal(gpu, [...tokens, channels], new Random(1));
  const half = normal(gpu, [Math.ceil(codes / 2), channels], new Random(2));
  const rest = normal(gpu, [codes - half.shape[0], channels], new Random(codes % 2 ? 3 : 2));
  return [query, rest.size > 0 ? concat([half, rest], 0) : half];
}

async function compare(gpu: Gpu, tokens: Shape, codes: number, channels: number): Promise<void> {
  const name = `${tokens} tokens, ${codes} codes of ${channels}`;
  const reads = (() => {
    using _scope = gpu.scope();
    const [query, keys] = rows(gpu, tokens, codes, channels);
    const logits = matmul(query, keys, { transposeB: true });
    const found = search(query, keys);
    assertEquals(found.index.shape, tokens);
    const values = [found.largest, max(logits, { axes: [-1] })].map((t) => t.readF32());
    const indices = [found.index, argmax(logits)].map((t) => t.readU32());
    return [Promise.all(values), Promise.all(indices)] as const;
  })();
  const [largest, expected] = await reads[0];
  const [index, wanted] = await reads[1];
  assertSame(index, wanted, `${name}: codes`);
  assertSame(largest, expected, `${name}: largest logits`);
}

const CASES: [tokens: Shape, codes: number, channels: number][] = [
  [[1], 1, 4],
  [[3], 7, 32],
  [[1, 1, 1], 512, 32],
  [[2, 5, 3], 1000, 16],
  [[17], 1001, 8],
  [[2240], 512, 32],
  [[33], 16384, 32],
  [[1], 65536, 32],
  [[5], 65536, 32],
];

for (const kind of ["cpu", "gpu"] as const) {
  gpuTest(
    `codes and logits are those of the matrix of logits, bit for bit (${kind})`,
    async (gpu) => {
      await withKind(kind, async () => {
        for (const [tokens, codes, channels] of CASES) {
          await flat(gpu, () => compare(gpu, tokens, codes, channels));
        }
      });
    },
  );
}

gpuTest("a margin is the distance of the two largest logits, 0 for a tie", async (gpu) => {
  const read = (() => {
    using _scope = gpu.scope();
    const query = fromArray(gpu, [1, 0, 0, 0, 0, 1, 0, 0], [2, 4]);
    const keys = Array.from({ length: 200 }, (_, i) => [i === 150 ? 7 : i / 100, 1 - i % 2, 0, 0]);
    keys[190][0] = 6.5;
    const { index, margin } = searchWithMargins(query, fromArray(gpu, keys.flat(), [200, 4]));
    return Promise.all([index.readU32(), margin.readF32()]);
  })();
  const [index, margin] = await read;
  assertEquals([...index], [150, 0]);
  assertEquals([...margin], [0.5, 0]);
});

gpuTest("a token's logits are the same bits alone and among thousands", async (gpu) => {
  const read = (() => {
    using _scope = gpu.scope();
    const query = normal(gpu, [2000, 32], new Random(4));
    const keys = normal(gpu, [700, 32], new Random(5));
    const last = searchWithMargins(query, keys);
    const alone = searchWithMargins(
      fromArray(gpu, new Float32Array(32).fill(0.25), [1, 32]),
      keys,
    );
    const both = searchWithMargins(
      concat([query, fromArray(gpu, new Float32Array(32).fill(0.25), [1, 32])], 0),
      keys,
    );
    return Promise.all(
      [last, alone, both].flatMap((t) => [t.largest.readF32(), t.margin.readF32()]),
    );
  })();
  const [last, lastMargin, alone, aloneMargin, both, bothMargin] = await read;
  assertSame(both.subarray(0, 2000), last);
  assertSame(both.subarray(2000), alone);
  assertSame(bothMargin.subarray(0, 2000), lastMargin);
  assertSame(bothMargin.subarray(2000), aloneMargin);
  assert(lastMargin.every((margin) => margin >= 0));
});
