import { fromFileUrl } from "@std/path";
import { loadVae } from "../src/checkpoint/mod.ts";
import { injectLora } from "../src/nn/mod.ts";
import { CodaQuantizer, PATCH_SIZES_F8 } from "../src/quantizer/mod.ts";
import { Random, type Tensor } from "../src/tensor/mod.ts";
import { Adaptation, defaultRecipe, type StepResult } from "../src/train/mod.ts";
import { benchGpu, noise } from "./support.ts";

// The steps that the shipped tokenizer is trained with: the tiny VAE, 1,024 codes, crops of 128.
const gpu = await benchGpu();
const vae = await loadVae(gpu, fromFileUrl(new URL("../models/tiny-kl-f8", import.meta.url)));
const lora = injectLora(vae.convs, {
  rank: 32,
  targets: ["conv1", "conv2", "upsample", "downsample"],
});
lora.parameters.initialize(new Random(1));
const quantizer = new CodaQuantizer(gpu, {
  codebookSize: 1024,
  channels: vae.config.latentChannels,
  attentionDim: 32,
  patchSizes: PATCH_SIZES_F8,
  norm: "rms",
  beta: 0.05,
});
quantizer.parameters.initialize(new Random(2));
const adaptation = new Adaptation({ vae, lora, quantizer }, {
  ...defaultRecipe(100),
  warmupSteps: 0, // a joint step before the warm-up's end would not be one
});

/** A step takes seconds on a CPU adapter, so three of them must do. */
function stepBench(name: string, input: Tensor, step: (input: Tensor) => StepResult): void {
  Deno.bench({
    name,
    n: 3,
    warmup: 1,
    fn: async () => {
      step(input)[Symbol.dispose]();
      await gpu.sync();
    },
  });
}

for (const batch of [4, 8]) {
  stepBench(
    `joint step, ${batch} crops of 128`,
    noise(gpu, [batch, 128, 128, 3]),
    (images) => adaptation.jointStep(images),
  );
}
stepBench(
  "warm-up step, 16 latents of 16 × 16",
  noise(gpu, [16, 16, 16, vae.config.latentChannels]),
  (latents) => adaptation.warmupStep(latents),
);
