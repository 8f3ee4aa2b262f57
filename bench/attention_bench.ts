import { attention } from "../src/ops/mod.ts";
import { gradients } from "../src/tensor/mod.ts";
import { gpuBench, noise } from "./support.ts";

const cases = [
  { tokens: 1024, heads: 1, channels: 512 }, // the VAE at 256 pixels and reduction 8
  { tokens: 256, heads: 1, channels: 512 }, // and 16
  { tokens: 197, heads: 6, channels: 384 }, // the discriminator's ViT-S/16
];

for (const { tokens, heads, channels } of cases) {
  const name = `attention ${tokens} tokens, ${heads} × ${channels / heads}`;
  const flop = 4 * tokens * tokens * channels;
  gpuBench({
    name,
    group: name,
    baseline: true,
    flop,
    calls: 4,
    setup: (gpu) => {
      const [q, k, v] = [1, 2, 3].map((seed) => noise(gpu, [1, tokens, channels], seed));
      return () => attention(q, k, v, { heads });
    },
  });
  gpuBench({
    name: `${name}, forward and backward`,
    group: name,
    flop: 4.5 * flop, // the two products of the forward pass, and seven
    calls: 4,
    setup: (gpu) => {
      const shape = [1, tokens, channels];
      const [q, k, v] = [1, 2, 3].map((seed) => noise(gpu, shape, seed).requireGrad());
      const seed = noise(gpu, shape, 4);
      return () => gradients(attention(q, k, v, { heads }), [q, k, v], { seed });
    },
  });
}
