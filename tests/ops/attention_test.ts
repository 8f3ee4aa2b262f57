import { assertThrows } from "@std/assert";
import { attention, matmul, permute, softmax } from "../../src/ops/mod.ts";
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
  gpuTest(`${name}: float64 and finite differences`, async () => {
    const random = new Random(keys);
    const [batch, , channels] = shape;
    const split = (x: NDArray): NDArray =>
      swap(reference.reshape(x, [batch, x.shape[1], heads, channels / heads]));
    await gradcheck({
      name,
      inputs: [
        random.normal(shape),
        random.normal([batch, keys, channels]),
        random.normal([batch, keys, channels]),
      ],
      op: ([q, k, v]) => attention(q, k, v, { heads, scale }),
      reference: ([q, k, v]) =>
        reference.reshape(
          swap(reference.attention(split(q), split(k), split(v), { scale })),
          shape,
        ),
      coordinates: 12,
    });
  });
}

/** The same from simple operations. */
function composed(q: Tensor, k: Tensor, v: Tensor): Tensor {
  const [a, b, c] = [q, k, v].map((x) => permute(x, [0, 2, 1, 3]));
  const scores = matmul(a, b, { transposeB: true });
  const scaled = matmul(scores, scaleMatrix(scores, 1 / Math.sqrt(q.shape[3])));
  return permute(matmul(softmax(scaled), c), [0, 2, 1, 3]);
}

/** A diagonal matrix: the twin shares no elementwise kernel with what it tests. */
function scaleMatrix(scores: Tensor, scale: number): Tensor {
  const n = scores.shape[3];
  const values = new Float32Array(n * n);
  for (let i = 0; i < n; i++) values[i * n + i] = scale;
  return fromArray(scores.gpu, values, [n, n]);
}

for (const shape of [[2, 70, 3, 64], [1, 100, 1, 512]]) {
  gpuTest(`attention [${shape}] equals its twin of matmul and softmax`, async (gpu) => {
    const random = new Random(9);
    const inputs = [1, 2, 3, 4].map(() => toF32(random.normal(shape)));
    const run = (op: (q: Tensor, k: Tensor, v: Tensor) => Tensor) => {
      using _scope = gpu.scope();
      const [q, k, v] = inputs.slice(0, 3).map((x) => fromArray(gpu, x, shape).requireGrad());
      const y = op(q, k, v);
      const found = gradients(y, [q, k, v], { seed: fromArray(gpu, inputs[3], shape) });
      return Promise.all([y, ...found].map((x) => x.readF32()));
    };
    const [fused, twin] = [await run(attention), await run(composed)];
    fused.forEach((found, i) =>
      assertClose(found, twin[i], { relative: 2e-6, name: ["y", "dq", "dk", "dv"][i] })
    );
  });
}

gpuTest("attention equals PyTorch's", async () => {
  await torchcheck("attention", ([q, k, v], { scale }) => {
    if (q.rank === 3) return attention(q, k, v, { scale });
    const [a, b, c] = [q, k, v].map((x) => permute(x, [0, 2, 1, 3]));
    return permute(attention(a, b, c, { scale }), [0, 2, 1, 3]);
  });
});

gpuTest("attention with scores far apart neither overflows nor loses rows", async (gpu) => {
  const random = new Random(10);
  const [q, k] = [1, 2].map(() => random.normal([1, 70, 4], 0, 40));
  const v = random.normal([1, 70, 4]);
  using _scope = gpu.scope();
  const y = attention(...[q, k, v].map((x) => fromArray(gpu, toF32(x), x.shape)) as [
    Tensor,
    Tensor,
    Tensor,
  ]);
  await assertTensorClose(y, reference.attention(q, k, v), { relative: 1e-3 }); // scores near 3000
});

gpuTest("attention: an image alone gives the bits it has in a batch", async (gpu) => {
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
    const y = attention(q, k, v);
    return Promise.all([y, ...gradients(y, [q, k, v], { seed: dy })].map((x) => x.readF32()));
  };
  const together = await run(0, 3);
  const alone = await run(1, 2);
  alone.forEach((found, i) => assertSame(found, together[i].subarray(size, 2 * size)));
});

gpuTest("attention leaves no bytes behind", async (gpu) => {
  for (const channels of [8, 5]) {
    await flat(gpu, () => {
      using _scope = gpu.scope();
      const x = full(gpu, [1, 5, channels], 1).requireGrad();
      gradients(attention(x, x, x), [x], { seed: full(gpu, x.shape, 1) });
    });
  }
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
