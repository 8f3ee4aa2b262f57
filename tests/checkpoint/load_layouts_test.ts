import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import {
  CheckpointError,
  loadVae,
  type LoadVaeOptions,
  type TensorToStore,
} from "../../src/checkpoint/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { type VaeConfig, vaeConfigToJson } from "../../src/vae/mod.ts";
import { withFolder } from "../data/photos.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import {
  diffusers,
  ldm,
  loraTensors,
  named,
  type Naming,
  SMALL_FLUX,
  SMALL_KL16,
  vaeTensors,
  writeFiles,
} from "./weights.ts";

/** Loads an autoencoder and compares its configuration and every weight, bit for bit. */
async function assertLoads(
  gpu: Gpu,
  path: string,
  config: VaeConfig,
  tensors: readonly TensorToStore[],
  options: LoadVaeOptions = {},
): Promise<void> {
  await flat(gpu, async () => {
    using vae = await loadVae(gpu, path, options);
    assertEquals(vae.config, config);
    const found = new Map((await vae.parameters.weights()).map((w) => [w.name, w]));
    assertEquals(found.size, tensors.length);
    for (const { name, shape, data } of tensors) {
      assertEquals(found.get(name)?.shape, shape, name);
      assertEquals(found.get(name)?.data, data, name);
    }
  });
}

const FAMILIES: readonly [string, VaeConfig][] = [["KL-16", SMALL_KL16], ["FLUX", SMALL_FLUX]];

for (const [name, config] of FAMILIES) {
  const namings: readonly [string, Naming][] = [
    ["ldm", ldm],
    ["diffusers", diffusers(config.channels.length)],
    ["older diffusers", diffusers(config.channels.length, true)],
  ];
  for (const [layout, naming] of namings) {
    gpuTest(`loadVae: ${name}'s build loads from ${layout} without a flag`, async (gpu) => {
      const tensors = vaeTensors(config);
      await withFolder(async (folder) => {
        await writeFiles(folder, { "x.safetensors": named(tensors, naming, "first_stage_model.") });
        await assertLoads(gpu, folder, config, tensors);
        await assertLoads(gpu, join(folder, "x.safetensors"), config, tensors);
      });
    });
  }
}

gpuTest("loadVae: a diffusers folder in shards, with its config.json", async (gpu) => {
  const config = { ...SMALL_FLUX, normGroups: 16, scale: 2, shift: 0.5 };
  const tensors = vaeTensors(config);
  const all = named(tensors, diffusers(4));
  const [first, second] = [all.slice(0, 50), all.slice(50)];
  const stem = "diffusion_pytorch_model";
  const shards = [1, 2].map((i) => `${stem}-0000${i}-of-00002.safetensors`);
  const map = Object.fromEntries(all.map(({ name }, i) => [name, shards[i < 50 ? 0 : 1]]));
  await withFolder(async (folder) => {
    await writeFiles(join(folder, "vae"), {
      [shards[0]]: first,
      [shards[1]]: second,
      [`${stem}.safetensors.index.json`]: { weight_map: map },
      "config.json": vaeConfigToJson(config),
    });
    await writeFiles(folder, { "model_index.json": {} });
    await assertLoads(gpu, folder, config, tensors);
    await assertLoads(gpu, join(folder, `vae/${stem}.safetensors.index.json`), config, tensors);
    await assertLoads(gpu, folder, { ...config, scale: 3 }, tensors, { scale: 3 });
  });
});

gpuTest(
  "loadVae: a config.json beside a named file is read where it is an autoencoder's",
  async (gpu) => {
    const tensors = vaeTensors(SMALL_FLUX);
    await withFolder(async (folder) => {
      const path = join(folder, "x.safetensors");
      const configs: [Record<string, unknown>, number][] = [
        [{ scaling_factor: 3, shift_factor: null }, 3],
        [{ _class_name: "AutoencoderKL", scaling_factor: 4 }, 4],
        [{ _class_name: "UNet2DConditionModel", scaling_factor: 5 }, 0.3611],
        [{ model_type: "clip_text_model" }, 0.3611],
      ];
      for (const [json, scale] of configs) {
        await writeFiles(folder, { "x.safetensors": tensors, "config.json": json });
        using vae = await loadVae(gpu, path);
        assertEquals(vae.config.scale, scale);
      }
      await writeFiles(folder, { "config.json": { _class_name: "VQModel" } });
      await assertRejects(
        () => loadVae(gpu, folder),
        CheckpointError,
        'config.json: "_class_name" is "VQModel", expected "AutoencoderKL"',
      );
    });
  },
);

gpuTest("loadVae: adapters in the file are fused", async (gpu) => {
  const config = SMALL_FLUX;
  const tensors = vaeTensors(config);
  const lora = loraTensors(config, { rank: 2, targets: ["conv1", "conv2"] });
  const name = "decoder.up.1.block.0.conv1";
  const part = (all: TensorToStore[], name: string) => all.find((t) => t.name === name)!;
  const [out, input, height, width] = part(tensors, `${name}.weight`).shape;
  const size = input * height * width;
  const base = part(tensors, `${name}.weight`).data as Float32Array;
  const down = part(lora, `${name}.lora_layer.down.weight`).data as Float32Array;
  const up = part(lora, `${name}.lora_layer.up.weight`).data as Float32Array;
  const expected = base.map((value, i) => {
    const [o, k] = [Math.floor(i / size), i % size];
    return value + up[2 * o] * down[k] + up[2 * o + 1] * down[size + k];
  });
  await withFolder(async (folder) => {
    for (const naming of [ldm, diffusers(4)]) {
      await writeFiles(folder, { "vae.safetensors": named([...tensors, ...lora], naming) });
      await flat(gpu, async () => {
        using vae = await loadVae(gpu, folder);
        const weights = await vae.parameters.weights();
        const found = weights.find((w) => w.name === `${name}.weight`)!;
        assertEquals(found.shape, [out, input, height, width]);
        found.data.forEach((value, i) => {
          if (Math.abs(value - expected[i]) > 1e-6) {
            throw new Error(`${i}: ${value}, ${expected[i]}`);
          }
        });
      });
    }
  });
});

gpuTest("loadVae: what cannot be loaded is told, and leaves no memory behind", async (gpu) => {
  const config = { ...SMALL_FLUX, latentChannels: 5 };
  const tensors = vaeTensors(config);
  const refuse = (tensors: TensorToStore[], message: string, options: LoadVaeOptions = {}) =>
    withFolder(async (folder) => {
      await writeFiles(folder, { "x.safetensors": tensors });
      await flat(
        gpu,
        () => assertRejects(() => loadVae(gpu, folder, options), CheckpointError, message),
      );
    });
  await refuse(tensors, "x.safetensors: is of no published family (channels 32, 64, 128, 128, 2");
  await refuse(
    tensors.filter(({ name }) => name !== "decoder.conv_out.bias"),
    "decoder.conv_out.bias",
    {
      scale: 1,
    },
  );
  await refuse(
    [...tensors, { name: "decoder.up.2.attn.0.q.weight", shape: [1], data: new Float32Array(1) }],
    'tensor "decoder.up.2.attn.0.q.weight" is in no autoencoder with channels 32, 64, 128, 128',
    { scale: 1 },
  );
  await refuse(
    [{ name: "w", shape: [1], data: new Float32Array(1) }],
    "holds no autoencoder; coda inspect",
  );
  await refuse(
    tensors,
    "has channels 32, 64, 128, 128, 2 blocks a level, 5 latent channels, but preset flux-65536 is",
    { preset: "flux-65536" },
  );
  const lora = loraTensors(config, { rank: 2, targets: ["conv1"] });
  await refuse([...tensors, ...lora.slice(1)], "is missing", { scale: 1 });
});
