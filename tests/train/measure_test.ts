import { assertEquals } from "@std/assert";
import { Gpu } from "../../src/gpu/mod.ts";
import { full } from "../../src/tensor/mod.ts";
import { Adaptation, defaultRecipe } from "../../src/train/mod.ts";
import { assertClose } from "../support/compare.ts";
import { gpuTest } from "../support/gpu.ts";
import { tinyModel } from "./tiny.ts";

const SHAPE = [2, 16, 16, 3];

/** Bytes of steps of so many batches: as measured, and as they take. */
async function bytesOf({ count, isReplayed }: { count: number; isReplayed: boolean }) {
  using gpu = await Gpu.create(isReplayed ? {} : { poolBytes: 0 });
  using model = tinyModel(gpu);
  model.vae.checkpointing = true;
  using adaptation = new Adaptation(model, defaultRecipe(10));
  adaptation.isReplayed = isReplayed;
  gpu.trim();
  gpu.resetPeak();
  const before = gpu.memory;
  const measured = adaptation.measure(SHAPE, count);
  assertEquals([gpu.memory, adaptation.step], [before, 0]);
  for (let step = 0; step < 2; step++) {
    const batches = Array.from({ length: count }, () => full(gpu, SHAPE, 0.5));
    adaptation.jointStep(...batches)[Symbol.dispose]();
    for (const batch of batches) batch.dispose();
  }
  await gpu.sync();
  return { measured, taken: gpu.memory.reservedPeak - before.reserved };
}

for (const count of [1, 2, 5]) {
  gpuTest(`measure: bytes of a step of ${count} × 2 images, of one batch's work`, async () => {
    const { measured, taken } = await bytesOf({ count, isReplayed: false });
    assertEquals(measured, taken);
  });
}

gpuTest("measure: bytes of steps that are replayed", async () => {
  const one = await bytesOf({ count: 1, isReplayed: true });
  assertEquals(one.measured, one.taken);
  const five = await bytesOf({ count: 5, isReplayed: true });
  assertClose([five.measured], [five.taken], { relative: 0.01 });
});
