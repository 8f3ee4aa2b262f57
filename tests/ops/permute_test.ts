import { assertThrows } from "@std/assert";
import { permute } from "../../src/ops/mod.ts";
import { fromArray, full, ShapeError } from "../../src/tensor/mod.ts";
import { assertSame } from "../support/compare.ts";
import { gpuTest } from "../support/gpu.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { torchcheck } from "../support/torchcheck.ts";

gpuTest("permute: float64 and finite differences", async () => {
  const cases: [shape: number[], axes: number[]][] = [
    [[5], [0]],
    [[3, 7], [1, 0]],
    [[2, 3, 8], [1, 0, 2]],
    [[2, 3, 5, 7], [0, 3, 1, 2]],
    [[8, 3, 5], [2, 1, 0]], // rows of whole quads come out
    [[5, 3, 8], [2, 1, 0]], // rows of whole quads go in
    [[2, 3, 5, 4], [0, 2, 1, 3]],
    [[2, 3, 1, 5, 3], [-1, 0, 2, 1, 3]],
    [[2, 3, 2, 3, 2, 3], [5, 4, 3, 2, 1, 0]],
  ];
  for (const [shape, axes] of cases) {
    await gradcheck({
      name: `permute [${shape}] by [${axes}]`,
      inputs: [new Random(1).normal(shape)],
      op: ([x]) => permute(x, axes),
      reference: ([x]) => reference.permute(x, axes),
    });
  }
});

gpuTest("permute: PyTorch's numbers", async () => {
  await torchcheck("permute", ([x], { axes }) => permute(x, axes));
});

gpuTest("permute: integers keep their bits", async (gpu) => {
  // As floats these are a signalling NaN, a subnormal number and -0.
  const bits = new Uint32Array([0x7f800001, 1, 0x80000000, 0xffffffff, 5, 6]);
  using x = fromArray(gpu, bits, [2, 3]);
  using y = permute(x, [1, 0]);
  assertSame(await y.readU32(), [bits[0], bits[3], bits[1], bits[4], bits[2], bits[5]]);
});

gpuTest("permute: what does not fit is refused", (gpu) => {
  using _scope = gpu.scope();
  const x = full(gpu, [2, 3], 1);
  assertThrows(() => permute(x, [0]), ShapeError, "each of its 2 axes once");
  assertThrows(() => permute(x, [0, 0]), ShapeError, "each of its 2 axes once");
  assertThrows(() => permute(x, [0, 2]), RangeError, "axis 2");
  const deep = full(gpu, [2, 2, 2, 2, 2, 2, 2], 1);
  assertThrows(() => permute(deep, [6, 5, 4, 3, 2, 1, 0]), ShapeError, "at most 6");
});
