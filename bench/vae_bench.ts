import { AutoencoderKL, type VaeConfig } from "../src/vae/mod.ts";
import { Random } from "../src/tensor/mod.ts";
import type { Gpu } from "../src/gpu/mod.ts";
import { gpuBench, noise } from "./support.ts";

/** The shape of the embedded models/tiny-kl-f8. */
const TINY: VaeConfig = {
  inChannels: 3,
  channels: [32, 32, 64, 64],
  blocksPerLevel: 1,
  latentChannels: 16,
  normGroups: 8,
  midAttention: true,
  encoderAttentionLevels: [],
  quantConv: true,
  postQuantConv: true,
  scale: 1,
  shift: 0,
};

function makeVae(gpu: Gpu): AutoencoderKL {
  const vae = new AutoencoderKL(gpu, TINY);
  vae.parameters.initialize(new Random(1));
  return vae;
}

for (const side of [128, 256]) {
  gpuBench({
    name: `encode ${side}² with tiny-kl-f8`,
    calls: 2,
    setup: (gpu) => {
      const vae = makeVae(gpu);
      const image = noise(gpu, [1, side, side, 3]);
      return () => void vae.encode(image);
    },
  });
  gpuBench({
    name: `decode ${side}² with tiny-kl-f8`,
    calls: 2,
    setup: (gpu) => {
      const vae = makeVae(gpu);
      const z = noise(gpu, [1, side / 8, side / 8, 16]);
      return () => void vae.decode(z);
    },
  });
}
