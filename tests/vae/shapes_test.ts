import { assertEquals } from "@std/assert";
import { AutoencoderKL, VAE_FAMILIES, vaeShapes } from "../../src/vae/mod.ts";
import { gpuTest } from "../support/gpu.ts";

gpuTest("vaeShapes are the parameters that the network declares", (gpu) => {
  for (const { name, config } of VAE_FAMILIES) {
    for (const change of [{}, { midAttention: false, blocksPerLevel: 1 }]) {
      const channels = config.channels.map((count) => count / 16);
      const small = { ...config, ...change, channels, normGroups: 2 };
      using vae = new AutoencoderKL(gpu, small);
      const declared = Array.from(vae.parameters, ({ name, shape }) => [name, shape] as const);
      assertEquals(Object.fromEntries(vaeShapes(small)), Object.fromEntries(declared), name);
    }
  }
});

Deno.test("a published family has the parameters that are published", () => {
  // Those that the model cards and papers give, in millions.
  const millions = (name: string) => {
    const { config } = VAE_FAMILIES.find((family) => family.name === name)!;
    const sizes = Array.from(vaeShapes(config).values(), (shape) => shape.reduce((a, b) => a * b));
    return (sizes.reduce((a, b) => a + b) / 1e6).toFixed(2);
  };
  assertEquals(millions("Stable Diffusion 1.x"), "83.65");
  assertEquals(millions("FLUX.1"), "83.82");
});
