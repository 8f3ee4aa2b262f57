import { assert, assertEquals } from "@std/assert";
import { injectLora } from "../../src/nn/mod.ts";
import { mean } from "../../src/ops/mod.ts";
import { empty, gradients, normal, Random } from "../../src/tensor/mod.ts";
import { Adaptation, defaultRecipe } from "../../src/train/mod.ts";
import { AutoencoderKL, VAE_FAMILIES } from "../../src/vae/mod.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { TINY_SIZE, tinyModel } from "./tiny.ts";

gpuTest("checkpointing changes no bit of a run, and is replayed", async (gpu) => {
  const run = async (checkpointing: boolean) => {
    using model = tinyModel(gpu);
    model.vae.checkpointing = checkpointing;
    using adaptation = new Adaptation(model, { ...defaultRecipe(4), lr: 5e-3 });
    const reports = [];
    for (let step = 0; step < 3; step++) {
      using images = normal(gpu, [2, TINY_SIZE, TINY_SIZE, 3], new Random(step));
      using result = adaptation.jointStep(images);
      reports.push(await result.read());
    }
    const sets = adaptation.sets.flatMap(({ state }) => state);
    const weights = await Promise.all(sets.map(({ parameters }) => parameters.weights()));
    return { reports, weights };
  };
  await flat(gpu, async () => assertEquals(await run(true), await run(false)));
});

gpuTest("checkpointing: a step through KL-16 takes a third of the memory", (gpu) => {
  const { config } = VAE_FAMILIES[0];
  using narrow = new AutoencoderKL(gpu, {
    ...config,
    channels: config.channels.map((count) => count / 16),
    normGroups: 4,
  });
  const { parameters } = injectLora(narrow.convs, { rank: 2, targets: ["conv", "sample"] });
  using _adapters = parameters;
  const leaves = [...parameters].map(({ tensor }) => tensor.requireGrad());
  const bytes = (checkpointing: boolean) => {
    narrow.checkpointing = checkpointing;
    return gpu.measure(() => {
      const { mean: z } = narrow.encode(empty(gpu, [1, 256, 256, 3]));
      gradients(mean(narrow.decode(z)), leaves);
    });
  };
  const [plain, checkpointed] = [bytes(false), bytes(true)];
  assert(checkpointed < 0.36 * plain, `${checkpointed} of ${plain} bytes`);
});
