import { assertEquals } from "@std/assert";
import type { Gpu } from "../../src/gpu/mod.ts";
import { concat } from "../../src/ops/mod.ts";
import { fromArray, type Tensor } from "../../src/tensor/mod.ts";
import { Adaptation, defaultRecipe, type Recipe } from "../../src/train/mod.ts";
import { assertClose } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import { CRITIC_SIZE, tinyCritics } from "./critics.ts";
import { TINY_SIZE, tinyModel } from "./tiny.ts";

function images(gpu: Gpu, seed: number, size = TINY_SIZE): Tensor {
  const shape = [1, size, size, 3];
  return fromArray(gpu, new Float32Array(new Random(seed).uniform(shape).data), shape);
}

/** Takes two steps on three images each, joined or one after another; the state and reports that are left. */
async function run(gpu: Gpu, recipe: Recipe, isJoined: boolean) {
  using model = tinyModel(gpu);
  using adaptation = new Adaptation(model, recipe);
  const numbers = [];
  for (let step = 0; step < 2; step++) {
    using scope = gpu.scope();
    const batches = [0, 1, 2].map((i) => images(gpu, 3 * step + i));
    const result = isJoined
      ? adaptation.jointStep(concat(batches, 0))
      : adaptation.jointStep(...batches);
    for (const tensor of result.tensors) scope.keep(tensor);
    numbers.push(result);
  }
  const read = await Promise.all(numbers.map((result) => result.read()));
  for (const result of numbers) result[Symbol.dispose]();
  const weights = await Promise.all(adaptation.state.map(({ parameters }) => parameters.weights()));
  return { read, values: weights.flat().flatMap(({ data }) => [...data]) };
}

gpuTest(
  "a step of three batches is that of their images together, where losses are means",
  async (gpu) => {
    const recipe = { ...defaultRecipe(10), lr: 1e-3, entropyWeight: 0 };
    const [joined, parts] = [await run(gpu, recipe, true), await run(gpu, recipe, false)];
    for (const [i, { numbers, indices }] of parts.read.entries()) {
      const expected = joined.read[i];
      for (const name of ["l1", "l2", "vq", "total", "gradNorm"]) {
        assertClose([numbers[name]], [expected.numbers[name]], { relative: 1e-4, name });
      }
      assertEquals(indices, expected.indices);
    }
    assertClose(parts.values, joined.values, { relative: 1e-4 });
  },
);

gpuTest("batches of a step are replayed to the bytes of batches done anew", async (gpu) => {
  const steps = async (isReplayed: boolean) => {
    using model = tinyModel(gpu);
    using critics = tinyCritics(gpu);
    using adaptation = new Adaptation(model, defaultRecipe(3), critics);
    const reports = [];
    let live: number | undefined;
    while (adaptation.step < adaptation.total) {
      if (!isReplayed) gpu.trim();
      using first = images(gpu, 2 * adaptation.step, CRITIC_SIZE + 2);
      using second = images(gpu, 2 * adaptation.step + 1, CRITIC_SIZE + 2);
      using result = adaptation.jointStep(first, second);
      reports.push(await result.read());
      assertEquals(gpu.memory.live, live ??= gpu.memory.live);
    }
    return reports;
  };
  await flat(gpu, async () => assertEquals(await steps(true), await steps(false)));
});
