import { assertEquals, assertThrows } from "@std/assert";
import { attentionOfSome } from "../../src/ops/attention.ts";
import { fusedAttention } from "../../src/ops/attention_fused.ts";
import { attentionByProducts } from "../../src/ops/attention_products.ts";
import { affine, attention, matmul, permute, slice, softmax } from "../../src/ops/mod.ts";
import {
  fromArray,
  full,
  gradients,
  ShapeError,
  type Tensor,
  zeros,
} from "../../src/tensor/mod.ts";
import { assertClose, assertSame, assertTensorClose } from "../support/compare.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { type NDArray, toF32 } from "../support/reference.ts";
import { torchcheck } from "../support/torchcheck.ts";

/** The two ways; `attention` takes one of them by adapter and size. */
const ways = { fused: fusedAttention, products: attentionByProducts };

/** [B, T, heads, D] to and from [B, heads, T, D], which the reference uses. */
const swap = (x: NDArray): NDArray => reference.permute(x, [0, 2, 1, 3]);

const cases: { q: number[]; keys: number; heads: number; scale?: number }[] = [
  { q: [1, 1, 4], keys: 1, heads: 1 },
  { q: [2, 5, 8], keys: 5, heads: 1 },
  { q: [1, 33, 12], keys: 7, heads: 3 },
  { q: [2, 3, 10], keys: 35, heads: 2, scale: 0.7 },
  { q: [1, 7, 33], keys: 7, heads: 1 },
  { q: [1, 65, 4], keys: 66, heads: 1 },
];

for (const { q: shape, keys, heads, scale } of cases) {
  const name = `attention [${shape}] to ${keys} keys in ${heads} heads`;
  const [batch, , channels] = shape;
  const split = (x: NDArray): NDArray =>
    swap(reference.reshape(x, [batch, x.shape[1], heads, channels / heads]));
  const each = channels / heads;
  const settings = { heads, channels: each, scale: scale ?? 1 / Math.sqrt(each) };
  const all = {
    ...ways,
    public: (q: Tensor, k: Tensor, v: Tensor) => attention(q, k, v, { heads, scale }),
  };
  for (const [way, op] of Object.entries(all)) {
    gpuTest(`${name}, ${way}: float64 and finite differences`, async () => {
      const random = new Random(keys);
      await gradcheck({
        name: `${name}, ${way}`,
        inputs: [
          random.normal(shape),
          random.normal([batch, keys, channels]),
          random.normal([batch, keys, channels]),
        ],
        op: ([q, k, v]) => op(q, k, v, settings),
        reference: ([q, k, v]) =>
          reference.reshape(
            swap(reference.attention(split(q), split(k), split(v), { scale })),
            shape,
          ),
        coordinates: 12,
      });
    });
  }
}

/** The same from simple operations. */
function composed(q: Tensor, k: Tensor, v: Tensor): Tensor {
  const [a, b, c] = [q, k, v].map((x) => permute(x, [0, 2, 1, 3]));
  const scores = affine(matmul(a, b, { transposeB: true }), 1 / Math.sqrt(q.shape[3]), 0);
  return permute(matmul(softmax(scores), c), [0, 2, 1, 3]);
}

for (const shape of [[2, 70, 3, 64], [1, 100, 1, 512]]) {
  gpuTest(`attention [${shape}] equals its twin of simple operations`, async (gpu) => {
    const random = new Random(9);
    const inputs = [1, 2, 3, 4].map(() => toF32(random.normal(shape)));
    const run = (op: (q: Tensor, k: Tensor, v: Tensor) => Tensor) => {
      using _scope = gpu.scope();
      const [q, k, v] = inputs.slice(0, 3).map((x) => fromArray(gpu, x, shape).requireGrad());
      const y = op(q, k, v);
      const found = gradients(y, [q, k, v], { seed: fromArray(gpu, inputs[3], shape) });
      return Promise.all([y, ...found].map((x) => x.readF32()));
    };
    const settings = { heads: shape[2], channels: shape[3], scale: 1 / Math.sqrt(shape[3]) };
    const twin = await run(composed);
    for (const [way, op] of Object.entries(ways)) {
      const found = await run((q, k, v) => op(q, k, v, settings));
      for (const [i, name] of ["y", "dq", "dk", "dv"].entries()) {
        assertClose(found[i], twin[i], { relative: 2e-6, name: `${way}: ${name}` });
      }
    }
  });
}

gpuTest("attention equals PyTorch's", async () => {
  await torchcheck("attention", ([q, k, v], { scale }) => {
    if (q.rank === 3) return attention(q, k, v, { scale });
    const [a, b, c] = [q, k, v].map((x) => permute(x, [0, 2, 1, 3]));
    return permute(attention(a, b, c, { scale }), [0, 2, 1, 3]);
  });
});

for (const [way, op] of Object.entries(ways)) {
  gpuTest(
    `${way} attention with scores far apart neither overflows nor loses rows`,
    async (gpu) => {
      const random = new Random(10);
      const [q, k] = [1, 2].map(() => random.normal([1, 70, 4], 0, 40));
      const v = random.normal([1, 70, 4]);
      using _scope = gpu.scope();
      const [a, b, c] = [q, k, v].map((x) => fromArray(gpu, toF32(x), x.shape));
      const y = op(a, b, c, { heads: 1, channels: 4, scale: 0.5 });
      await assertTensorClose(y, reference.attention(q, k, v), { relative: 1e-3 }); // scores near 3000
    },
  );

  gpuTest(`${way} attention: an image alone gives the bits it has in a batch`, async (gpu) => {
    const random = new Random(11);
    const shape = [3, 45, 2, 8];
    const size = 45 * 16;
    const inputs = [1, 2, 3, 4].map(() => toF32(random.normal(shape)));
    const run = (from: number, to: number) => {
      using _scope = gpu.scope();
      const part = [to - from, 45, 2, 8];
      const [q, k, v, dy] = inputs.map((x) =>
        fromArray(gpu, x.slice(from * size, to * size), part).requireGrad()
      );
      const y = op(q, k, v, { heads: 2, channels: 8, scale: 0.3 });
      return Promise.all([y, ...gradients(y, [q, k, v], { seed: dy })].map((x) => x.readF32()));
    };
    const together = await run(0, 3);
    const alone = await run(1, 2);
    alone.forEach((found, i) => assertSame(found, together[i].subarray(size, 2 * size)));
  });

  gpuTest(`${way} attention leaves no bytes behind`, async (gpu) => {
    for (const channels of [8, 5]) {
      await flat(gpu, () => {
        using _scope = gpu.scope();
        const x = full(gpu, [1, 5, channels], 1).requireGrad();
        const y = op(x, x, x, { heads: 1, channels, scale: 1 });
        gradients(y, [x], { seed: full(gpu, x.shape, 1) });
      });
    }
  });
}

gpuTest("attention over many tokens holds no matrix of their scores", async (gpu) => {
  using _scope = gpu.scope();
  const x = full(gpu, [1, 2100, 4], 1);
  gpu.resetPeak();
  const before = gpu.memory.live;
  const y = attention(x, x, x);
  const most = gpu.memory.peak - before;
  if (most > 2100 * 2100) throw new Error(`${most} bytes at the peak`); // a quarter of the scores
  await assertTensorClose(y, reference.filled([1, 2100, 4], 1));
});

gpuTest("attention refuses what does not fit", (gpu) => {
  using _scope = gpu.scope();
  const x = full(gpu, [1, 3, 8], 1);
  const other = full(gpu, [1, 3, 4], 1);
  const four = full(gpu, [1, 3, 2, 4], 1);
  const wrong = [
    () => attention(x, other, x),
    () => attention(x, x, full(gpu, [1, 4, 8], 1)),
    () => attention(x, four, four),
    () => attention(zeros(gpu, [1, 0, 8]), x, x),
    () => attention(full(gpu, [3, 8], 1), x, x),
  ];
  for (const run of wrong) assertThrows(run, ShapeError, "attention: q, k and v must be");
  assertThrows(() => attention(x, x, x, { heads: 3 }), RangeError, "3 heads do not divide 8");
  assertThrows(() => attention(four, four, four, { heads: 4 }), RangeError, "has 2");
});

for (const tokens of [70, 2100]) { // on a CPU adapter products, and fused
  gpuTest(`some of ${tokens} tokens attend to all as they do among all`, async (gpu) => {
    const [q, k, v] = [1, 2, 3].map((seed) =>
      fromArray(gpu, toF32(new Random(seed).normal([1, tokens, 8])), [1, tokens, 8])
    );
    const [part, whole] = await Promise.all((() => {
      using _scope = gpu.scope();
      const some = slice(q, [0, 33], [1, 40]);
      return [attentionOfSome(some, k, v), slice(attention(q, k, v), [0, 33], [1, 40])].map((y) =>
        y.readF32()
      );
    })());
    for (const x of [q, k, v]) x.dispose();
    assertEquals(part, whole);
  });
}
