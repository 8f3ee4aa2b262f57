import { assertEquals, assertThrows } from "@std/assert";
import { OptionError, resolveOptions } from "../../src/train/mod.ts";
import { resumedOptions } from "../../src/train/options.ts";

const BASE = { vae: "vae", images: ["images"], steps: 100 };

Deno.test("resolveOptions: fills in the recipe's defaults", () => {
  const { lr, rank, targets, warmupSteps } = resolveOptions({ ...BASE, lr: undefined });
  assertEquals({ lr, rank, targets, warmupSteps }, {
    lr: 5e-4,
    rank: 32,
    targets: ["conv1", "conv2", "upsample", "downsample"],
    warmupSteps: 0,
  });
});

Deno.test("resolveOptions: names what is out of range", () => {
  assertThrows(() => resolveOptions({ ...BASE, batch: 0 }), RangeError, "batch is 0");
  assertThrows(() => resolveOptions({ ...BASE, seed: 1.5 }), RangeError, "seed is 1.5");
  assertThrows(() => resolveOptions({ ...BASE, lr: 0 }), RangeError, "lr is 0");
  assertThrows(() => resolveOptions({ ...BASE, steps: -1 }), RangeError, "steps is -1");
  assertThrows(() => resolveOptions({ ...BASE, steps: 0 }), OptionError, "steps is 0, as is");
});

Deno.test("resumedOptions: reports and saves may change, nothing else", () => {
  const begun = resolveOptions(BASE);
  const resumed = resumedOptions(begun, { logEvery: 3, saveEvery: 7, images: ["elsewhere"] });
  assertEquals([resumed.logEvery, resumed.saveEvery, resumed.images], [3, 7, ["elsewhere"]]);
  assertEquals(resumedOptions(begun, { steps: 100, rank: undefined }), begun);
  const planned = resolveOptions({ ...BASE, batch: 2, accumulate: 4 }); // from a batch of 8
  assertEquals(resumedOptions(planned, { batch: 8 }), planned);
  const watched = resolveOptions({ ...BASE, heldout: "heldout" });
  assertEquals(resumedOptions(watched, { heldout: "moved" }), { ...watched, heldout: "moved" });
  for (
    const [name, value] of Object.entries({
      vae: "other",
      steps: 101,
      warmupSteps: 1,
      batch: 4,
      warmupBatch: 4,
      warmupCrops: 1,
      imageSize: 64,
      codebookSize: 8,
      patchSizes: [1, 2],
      rank: 4,
      targets: ["conv1"],
      lr: 1,
      warmupLr: 1,
      seed: 1,
      heldout: "others",
      evalImages: 3,
    })
  ) {
    assertThrows(() => resumedOptions(begun, { [name]: value }), OptionError, `${name} is`);
  }
});
