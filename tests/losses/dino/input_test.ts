import { assert, assertEquals } from "@std/assert";
import { drawCrop } from "../../../src/losses/mod.ts";
import { vitInput } from "../../../src/losses/dino/input.ts";
import { area, bicubic, slice } from "../../../src/ops/mod.ts";
import { fromArray, Random, type Tensor } from "../../../src/tensor/mod.ts";
import { assertClose } from "../../support/compare.ts";
import { gpuTest } from "../../support/gpu.ts";
import { Random as Numbers } from "../../support/random.ts";

Deno.test("drawCrop: half of the time, at every corner, and only where both sides exceed the size", () => {
  const random = new Random(1);
  const found = Array.from({ length: 2000 }, () => drawCrop(random, { height: 7, width: 6 }, 5));
  const corners = found.flatMap((draw) => draw?.[0] ? [draw.slice(1)] : []);
  assert(corners.length > 900 && corners.length < 1100, `${corners.length} of 2000 are crops`);
  const seen = new Set(corners.map((corner) => corner.join()));
  assertEquals([...seen].sort(), ["0,0", "0,1", "1,0", "1,1", "2,0", "2,1"]);
  for (const [height, width] of [[5, 9], [9, 5], [4, 4]]) {
    for (let i = 0; i < 20; i++) assertEquals(drawCrop(random, { height, width }, 5), undefined);
  }
});

gpuTest(
  "vitInput: area where higher, else bicubic, or a crop; then ImageNet's norm",
  async (gpu) => {
    const make = (height: number, width: number) => {
      const shape = [2, height, width, 3];
      return fromArray(gpu, new Float32Array(new Numbers(2).uniform(shape).data), shape);
    };
    const size = { height: 5, width: 5 };
    const [large, small, same] = [make(7, 6), make(3, 4), make(5, 5)];
    const draw = (...values: number[]) => fromArray(gpu, new Uint32Array(values), [3]);
    await assertNormalised(vitInput(large, 5), area(large, size));
    await assertNormalised(vitInput(small, 5), bicubic(small, size));
    await assertNormalised(vitInput(same, 5), same);
    await assertNormalised(vitInput(large, 5, draw(1, 2, 1)), slice(large, [0, 2, 1], [2, 7, 6]));
    await assertNormalised(vitInput(large, 5, draw(0, 0, 0)), area(large, size));
  },
);

async function assertNormalised(found: Tensor, resized: Tensor): Promise<void> {
  assertEquals(found.shape, resized.shape);
  const mean = [0.485, 0.456, 0.406];
  const deviation = [0.229, 0.224, 0.225];
  const expected = (await resized.readF32())
    .map((value, i) => ((value + 1) / 2 - mean[i % 3]) / deviation[i % 3]);
  assertClose(await found.readF32(), expected, { relative: 1e-6 });
}
