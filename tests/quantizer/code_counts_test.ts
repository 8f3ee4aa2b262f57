import { assertEquals, assertThrows } from "@std/assert";
import { CodeCounts } from "../../src/quantizer/mod.ts";
import { fromArray } from "../../src/tensor/mod.ts";
import { flat, gpuTest } from "../support/gpu.ts";

gpuTest(
  "codes are counted by scale, over several steps, and from zero after each reading",
  async (gpu) => {
    await flat(gpu, async () => {
      using counts = new CodeCounts(gpu, { scales: 2, codebookSize: 5 });
      const add = (...scales: number[][]) => {
        using _scope = gpu.scope();
        counts.add(scales.map((codes) => fromArray(gpu, new Uint32Array(codes), [codes.length])));
      };
      add([4], [0, 1, 1, 4]);
      add([4], [1, 1, 1, 3]);
      const first = counts.take();
      add([2]);
      const second = counts.take();
      assertEquals((await first).map((scale) => [...scale]), [[0, 0, 0, 0, 2], [1, 5, 0, 1, 1]]);
      assertEquals((await second).map((scale) => [...scale]), [[0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]);
    });
  },
);

gpuTest("thousands of equal codes are all counted", async (gpu) => {
  using counts = new CodeCounts(gpu, { scales: 1, codebookSize: 3 });
  using codes = fromArray(gpu, new Uint32Array(10000).fill(1), [100, 100]);
  counts.add([codes]);
  assertEquals([...(await counts.take())[0]], [0, 10000, 0]);
});

gpuTest("more scales than are counted are refused", (gpu) => {
  using counts = new CodeCounts(gpu, { scales: 1, codebookSize: 3 });
  using codes = fromArray(gpu, new Uint32Array(1), [1]);
  assertThrows(() => counts.add([codes, codes]), RangeError, "2 scales, expected 1");
});
