import { assertEquals, assertThrows } from "@std/assert";
import { logSoftmax, softmax } from "../../src/ops/mod.ts";
import { fromArray, full, gradients, scalar, ShapeError, zeros } from "../../src/tensor/mod.ts";
import { assertSame, assertTensorClose } from "../support/compare.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { toF32 } from "../support/reference.ts";
import { torchcheck } from "../support/torchcheck.ts";

const ops = [
  { name: "softmax", op: softmax, reference: reference.softmax },
  { name: "logSoftmax", op: logSoftmax, reference: reference.logSoftmax },
];

for (const { name, op, reference: expected } of ops) {
  for (
    const shape of [[1], [7], [3, 1], [5, 3], [2, 3, 5], [33, 33], [9, 64], [3, 260], [2, 2052]]
  ) {
    gpuTest(`${name} [${shape}]: float64 and finite differences`, async () => {
      await gradcheck({
        name: `${name} [${shape}]`,
        inputs: [new Random(shape.length).normal(shape, 0, 3)],
        op: ([x]) => op(x),
        reference: ([x]) => expected(x),
        coordinates: 16,
      });
    });
  }

  gpuTest(`${name} equals PyTorch's`, () => torchcheck(name, ([x]) => op(x)));

  gpuTest(`${name} over 65,536 classes, and over values far from zero`, async (gpu) => {
    using _scope = gpu.scope();
    const wide = new Random(2).normal([2, 65536], 0, 4);
    const far = new Random(3).normal([3, 37], -1e4, 300);
    for (const x of [wide, far]) {
      await assertTensorClose(op(fromArray(gpu, toF32(x), x.shape)), expected(x), { floor: 1e-7 });
    }
  });

  gpuTest(`${name}: a row alone gives the bits it has among others`, async (gpu) => {
    for (const width of [5, 36, 300, 4100]) {
      const values = toF32(new Random(width).normal([11, width]));
      const run = (rows: Float32Array) => {
        using _scope = gpu.scope();
        const shape = [rows.length / width, width];
        const x = fromArray(gpu, rows, shape).requireGrad();
        const y = op(x);
        const [dx] = gradients(y, [x], { seed: fromArray(gpu, rows, shape) });
        return Promise.all([y.readF32(), dx.readF32()]);
      };
      const together = await run(values);
      const row = 9 * width;
      const alone = await run(values.slice(row, row + width));
      alone.forEach((found, i) => assertSame(found, together[i].subarray(row, row + width)));
    }
  });

  gpuTest(`${name} leaves no bytes behind and refuses what does not fit`, async (gpu) => {
    await flat(gpu, () => {
      using _scope = gpu.scope();
      const x = full(gpu, [3, 5], 1).requireGrad();
      gradients(op(x), [x], { seed: full(gpu, [3, 5], 1) });
    });
    using _scope = gpu.scope();
    assertThrows(() => op(scalar(gpu, 1)), ShapeError, name);
    assertThrows(() => op(zeros(gpu, [3, 0])), ShapeError, "[3, 0]");
    assertThrows(() => op(zeros(gpu, [3, 2], "u32")), ShapeError, "found u32");
  });
}

gpuTest("equal values share equally", async (gpu) => {
  using _scope = gpu.scope();
  const y = await softmax(full(gpu, [2, 8], -3e38)).readF32();
  assertEquals([...y], new Array(16).fill(0.125));
});
