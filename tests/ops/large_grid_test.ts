import { assert } from "@std/assert";
import { gather, groupNorm, softmax } from "../../src/ops/mod.ts";
import { fromArray, full } from "../../src/tensor/mod.ts";
import { gpuTest } from "../support/gpu.ts";

// More workgroups than one dimension holds: the rest goes on in the second. What lies past the limit
// differs from what lies before it, so that neither can stand for the other.

gpuTest("groupNorm of 70,000 images: a workgroup each", async (gpu) => {
  using _tensors = gpu.scope();
  const images = 70000;
  const spread = (image: number) => 1 + image % 1000;
  const values = Float32Array.from({ length: 2 * images }, (_, i) => (i % 2) * spread(i >> 1));
  const x = fromArray(gpu, values, [images, 2, 1]);
  const y = groupNorm(x, full(gpu, [1], 1), full(gpu, [1], 0), { groups: 1, eps: 0 });
  const found = await y.readF32();
  assert(found.every((value, i) => Math.abs(value - (i % 2 ? 1 : -1)) < 1e-5));
});

gpuTest("softmax of 524,293 rows", async (gpu) => {
  using _tensors = gpu.scope();
  const rows = 8 * 65535 + 13;
  const values = new Float32Array(3 * rows);
  for (let row = 0; row < rows; row++) values[3 * row + row % 3] = 100;
  const found = await softmax(fromArray(gpu, values, [rows, 3])).readF32();
  assert(found.every((value, i) => value === (i % 3 === Math.floor(i / 3) % 3 ? 1 : 0)));
});

gpuTest("gather of 4,194,317 numbers", async (gpu) => {
  using _tensors = gpu.scope();
  const count = 64 * 65535 + 77;
  const indices = Uint32Array.from({ length: count }, (_, i) => i % 7);
  const table = fromArray(gpu, [0, 10, 20, 30, 40, 50, 60], [7, 1]);
  const found = await gather(table, fromArray(gpu, indices, [count])).readF32();
  assert(found.every((value, i) => value === 10 * (i % 7)));
});
