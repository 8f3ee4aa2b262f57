import { assertEquals, assertThrows } from "@std/assert";
import { mul, reshape } from "../../src/ops/mod.ts";
import { fromArray, full, ShapeError } from "../../src/tensor/mod.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { torchcheck } from "../support/torchcheck.ts";

gpuTest("reshape: float64 and finite differences", async () => {
  for (const shape of [[35], [7, 5], [5, -1], [1, 5, 1, 7]]) {
    await gradcheck({
      name: `reshape [${shape}]`,
      inputs: [new Random(1).normal([5, 7])],
      op: ([x]) => reshape(mul(x, x), shape),
      reference: ([x]) => reference.reshape(reference.mul(x, x), shape),
    });
  }
});

gpuTest("reshape: PyTorch's numbers", async () => {
  await torchcheck("reshape", ([x], { shape }) => reshape(x, shape));
});

gpuTest("reshape: shares the bytes, and either handle may go first", async (gpu) => {
  await flat(gpu, async () => {
    const x = fromArray(gpu, new Uint32Array([1, 2, 3, 4]), [4]);
    const before = gpu.memory.live;
    const y = reshape(x, [2, -1]);
    assertEquals([gpu.memory.live, y.shape, y.dtype], [before, [2, 2], "u32"]);
    x.dispose();
    assertEquals([...await y.read()], [1, 2, 3, 4]);
    y.dispose();
  });
});

gpuTest("reshape: what does not fit is refused", (gpu) => {
  using _scope = gpu.scope();
  const x = full(gpu, [2, 3], 1);
  for (const shape of [[4], [-1, 4], [-1, -1], [-2, -3], [6.5]]) {
    assertThrows(() => reshape(x, shape), ShapeError, "[2, 3] has 6 elements");
  }
});
