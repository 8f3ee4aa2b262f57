import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { empty, normal, Random } from "../../src/tensor/mod.ts";
import { Adaptation, defaultRecipe } from "../../src/train/mod.ts";
import { assertClose } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { TINY_SIZE, tinyModel } from "./tiny.ts";

gpuTest(
  "halfActivations: losses to the bit, gradients but for rounding, in less memory",
  async (gpu) => {
    const run = async (halfActivations: boolean) => {
      using model = tinyModel(gpu);
      const recipe = { ...defaultRecipe(4), lr: 1e-3, halfActivations };
      using adaptation = new Adaptation(model, recipe);
      const bytes = gpu.measure(() => {
        adaptation.jointStep(empty(gpu, [1, 64, 64, 3]))[Symbol.dispose]();
      });
      using images = normal(gpu, [2, TINY_SIZE, TINY_SIZE, 3], new Random(0));
      using result = adaptation.jointStep(images);
      const report = await result.read();
      return { bytes, report };
    };
    await flat(gpu, async () => {
      const [whole, half] = [await run(false), await run(true)];
      const { gradNorm, ...losses } = whole.report.numbers;
      const { gradNorm: found, ...same } = half.report.numbers;
      assertEquals(same, losses);
      assertNotEquals(found, gradNorm);
      assertClose([found], [gradNorm], { relative: 1e-3 });
      assert(half.bytes < whole.bytes, `${half.bytes} bytes, ${whole.bytes} in f32`);
    });
  },
);
