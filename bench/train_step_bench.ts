import { loadVae } from "../src/checkpoint/mod.ts";
import { injectLora } from "../src/nn/mod.ts";
import { CodaQuantizer, PATCH_SIZES_F8 } from "../src/quantizer/mod.ts";
import { Random } from "../src/tensor/mod.ts";
import { Adapter, defaultRecipe } from "../src/train/mod.ts";
import { benchGpu, gpuBench, noise } from "./support.ts";

// The steps that the shipped tokenizer is trained with: the tiny VAE, 1,024 codes, crops of 128.
const gpu = await benchGpu();
const vae = await loadVae(gpu, new URL("../models/tiny-kl-f8", import.meta.url).pathname);
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
const adapter = new Adapter({ vae, lora, quantizer }, defaultRecipe(100_000));

for (const batch of [4, 8]) {
  gpuBench({
    name: `joint step, ${batch} crops of 128`,
    calls: 1,
    setup: (gpu) => {
      const images = noise(gpu, [batch, 128, 128, 3]);
      return () => adapter.jointStep(images)[Symbol.dispose]();
    },
  });
}

gpuBench({
  name: "warm-up step, 16 latents of 16 × 16",
  calls: 1,
  setup: (gpu) => {
    const latents = noise(gpu, [16, 16, 16, vae.config.latentChannels]);
    return () => adapter.warmupStep(latents)[Symbol.dispose]();
  },
});
