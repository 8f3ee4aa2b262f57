import { assertThrows } from "@std/assert";
import { maxPool2d, type MaxPool2dOptions } from "../../src/ops/mod.ts";
import { fromArray, full, gradients, ShapeError, zeros } from "../../src/tensor/mod.ts";
import { assertSame } from "../support/compare.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { toF32 } from "../support/reference.ts";
import { torchcheck } from "../support/torchcheck.ts";

const cases: [shape: number[], options: MaxPool2dOptions][] = [
  [[2, 4, 6, 8], { kernel: 2 }],
  [[1, 1, 1, 3], { kernel: 1 }],
  [[1, 5, 7, 4], { kernel: 2 }],
  [[3, 7, 3, 5], { kernel: 3, stride: 2, padding: 1 }],
  [[1, 33, 5, 1], { kernel: 3, stride: 1, padding: 1 }],
  [[1, 8, 9, 12], { kernel: 2, stride: 3 }],
  [[2, 2, 3, 7], { kernel: 4, stride: 1, padding: 2 }],
];

for (const [shape, options] of cases) {
  const name = `maxPool2d [${shape}] ${JSON.stringify(options)}`;
  gpuTest(`${name}: float64 and finite differences`, async () => {
    await gradcheck({
      name,
      inputs: [new Random(shape[1]).normal(shape)],
      op: ([x]) => maxPool2d(x, options),
      reference: ([x]) => reference.maxPool2d(x, options),
      forward: 0,
      tolerance: 1e-6,
    });
  });
}

gpuTest("maxPool2d equals PyTorch's, ties included", async () => {
  for (const name of ["maxPool2d", "maxPool2dTies"]) {
    await torchcheck(name, ([x], options) => maxPool2d(x, options), {
      forward: 0,
      tolerance: 1e-6,
    });
  }
});

gpuTest("maxPool2d: of equal values the first gets the gradient", async (gpu) => {
  for (const channels of [1, 4]) {
    const pending = (() => {
      using _scope = gpu.scope();
      const x = full(gpu, [1, 2, 4, channels], -3).requireGrad();
      const y = maxPool2d(x, { kernel: 2 });
      const [dx] = gradients(y, [x], { seed: full(gpu, y.shape, 5) });
      return dx.readF32();
    })();
    const expected = [5, 0, 5, 0, 0, 0, 0, 0].flatMap((value) => Array(channels).fill(value));
    assertSame(await pending, Float32Array.from(expected));
  }
});

gpuTest("maxPool2d: an image gives the same bits in any batch", async (gpu) => {
  const images = toF32(new Random(3).normal([3, 6, 7, 4]));
  const run = (data: Float32Array<ArrayBuffer>, batch: number) => {
    using _scope = gpu.scope();
    return maxPool2d(fromArray(gpu, data, [batch, 6, 7, 4]), { kernel: 2 }).readF32();
  };
  const together = await run(images, 3);
  for (let i = 0; i < 3; i++) {
    const alone = await run(images.slice(i * 168, (i + 1) * 168), 1);
    assertSame(alone, together.subarray(i * 36, (i + 1) * 36));
  }
});

gpuTest("maxPool2d leaves no bytes behind", async (gpu) => {
  await flat(gpu, () => {
    using _scope = gpu.scope();
    const x = full(gpu, [1, 9, 11, 4], 1).requireGrad();
    const y = maxPool2d(x, { kernel: 3, stride: 2, padding: 1 });
    gradients(y, [x], { seed: full(gpu, y.shape, 1) });
  });
});

gpuTest("maxPool2d refuses what does not fit", (gpu) => {
  using _scope = gpu.scope();
  const x = full(gpu, [1, 2, 2, 3], 1);
  assertThrows(() => maxPool2d(full(gpu, [2, 2, 3], 1), { kernel: 2 }), ShapeError, "[N, H, W");
  assertThrows(() => maxPool2d(zeros(gpu, [1, 2, 2, 3], "u32"), { kernel: 2 }), ShapeError, "u32");
  assertThrows(() => maxPool2d(x, { kernel: 3 }), ShapeError, "3×3 is larger");
  assertThrows(() => maxPool2d(zeros(gpu, [1, 0, 2, 3]), { kernel: 2, padding: 1 }), ShapeError);
  assertThrows(() => maxPool2d(x, { kernel: 0 }), RangeError, "kernel 0");
  assertThrows(() => maxPool2d(x, { kernel: 2, stride: 0.5 }), RangeError, "stride 0.5");
  assertThrows(() => maxPool2d(x, { kernel: 2, padding: 2 }), RangeError, "padding 2");
});
