import { groupNorm } from "../src/ops/mod.ts";
import { full, gradients, zeros } from "../src/tensor/mod.ts";
import { gpuBench, noise } from "./support.ts";

for (
  const [side, channels, groups] of [[256, 32, 8], [64, 128, 32], [32, 512, 32]] as const
) {
  const name = `groupNorm + SiLU ${channels} channels at ${side}²`;
  gpuBench({
    name,
    group: `groupNorm at ${side}²`,
    baseline: true,
    setup: (gpu) => {
      const x = noise(gpu, [1, side, side, channels]);
      const [gamma, beta] = [full(gpu, [channels], 1), zeros(gpu, [channels])];
      return () => groupNorm(x, gamma, beta, { groups, silu: true });
    },
  });
  gpuBench({
    name: `${name}, forward and backward`,
    group: `groupNorm at ${side}²`,
    setup: (gpu) => {
      const x = noise(gpu, [1, side, side, channels]).requireGrad();
      const gamma = full(gpu, [channels], 1).requireGrad();
      const beta = zeros(gpu, [channels]).requireGrad();
      const seed = noise(gpu, x.shape, 2);
      return () => {
        const y = groupNorm(x, gamma, beta, { groups, silu: true });
        gradients(y, [x, gamma, beta], { seed });
      };
    },
  });
}
