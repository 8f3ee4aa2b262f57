import { assertEquals, assertThrows } from "@std/assert";
import { Adaptation, cosineRate, defaultRecipe, resolveOptions } from "../../src/train/mod.ts";
import { gpuTest } from "../support/gpu.ts";
import { tinyModel } from "./tiny.ts";

gpuTest("Adaptation: the warm-up may have a learning rate of its own", (gpu) => {
  using model = tinyModel(gpu);
  const recipe = { ...defaultRecipe(4), warmupSteps: 2, lr: 1e-3, warmupLr: 1e-2 };
  using adaptation = new Adaptation(model, recipe);
  assertEquals(adaptation.lr, 1e-2);
  adaptation.resume(2);
  assertEquals(adaptation.lr, 1e-3);
  adaptation.resume(3);
  assertEquals(adaptation.lr, cosineRate(1e-3, 1, 4));
});

Deno.test("options: the warm-up's learning rate is above 0", () => {
  const options = { images: ["a"], steps: 1 };
  assertEquals(resolveOptions(options).warmupLr, undefined);
  assertThrows(
    () => resolveOptions({ ...options, warmupLr: 0 }),
    RangeError,
    "warmupLr is 0, expected a number above 0",
  );
});
