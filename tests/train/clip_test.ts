import { assertEquals, assertThrows } from "@std/assert";
import { fromArray, type Tensor } from "../../src/tensor/mod.ts";
import { clipCoefficient } from "../../src/train/mod.ts";
import { assertClose } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import { globalNorm, type NDArray } from "../support/reference.ts";

function upload(gpu: Tensor["gpu"], arrays: readonly NDArray[]): Tensor[] {
  return arrays.map(({ shape, data }) => fromArray(gpu, new Float32Array(data), shape));
}

gpuTest("clipCoefficient: norm and factor of many odd sizes", async (gpu) => {
  const random = new Random(1);
  const shapes = [[1], [3, 5], [1023], [1024], [1025], [7, 33, 33], [70_001]];
  const arrays = shapes.map((shape, i) => random.normal(shape, 0, i + 1));
  const norm = globalNorm(arrays);
  for (const limit of [norm / 3, 2 * norm]) {
    const found = await flat(gpu, () => {
      using _scope = gpu.scope();
      const clip = clipCoefficient(upload(gpu, arrays), limit);
      return [clip.norm.item(), clip.coefficient.item()];
    });
    const expected = [norm, Math.min(1, limit / (norm + 1e-6))];
    assertClose(await Promise.all(found), expected, { relative: 1e-6 });
  }
});

gpuTest("clipCoefficient: small gradients are left exactly as they are", async (gpu) => {
  const [norm, coefficient] = await Promise.all((() => {
    using _scope = gpu.scope();
    const clip = clipCoefficient([fromArray(gpu, [0, 0, 0], [3])], 10);
    return [clip.norm.item(), clip.coefficient.item()];
  })());
  assertEquals([norm, coefficient], [0, 1]);
});

gpuTest("clipCoefficient: nothing to clip, or no norm to clip at, is an error", (gpu) => {
  using _scope = gpu.scope();
  assertThrows(() => clipCoefficient([], 10), RangeError, "no gradients");
  const gradient = fromArray(gpu, [1], [1]);
  assertThrows(() => clipCoefficient([gradient], 0), RangeError, "0 is no norm");
  assertThrows(() => clipCoefficient([gradient], NaN), RangeError, "NaN is no norm");
});
