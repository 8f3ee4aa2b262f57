import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import {
  CheckpointError,
  loadAdapted,
  loadTokenizer,
  type TensorToStore,
  type TokenizerOptions,
} from "../../src/checkpoint/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import {
  type CodaQuantizerConfig,
  PATCH_SIZES_F16,
  PATCH_SIZES_F8,
  quantizerConfigToJson,
} from "../../src/quantizer/mod.ts";
import { normal, Random } from "../../src/tensor/mod.ts";
import { type VaeConfig, vaeConfigToJson } from "../../src/vae/mod.ts";
import { withFolder } from "../data/photos.ts";
import { assertClose } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import {
  diffusers,
  ldm,
  loraTensors,
  named,
  type Naming,
  quantizerTensors,
  SMALL_FLUX,
  SMALL_KL16,
  vaeTensors,
  writeFiles,
} from "./weights.ts";

const MAR_TARGETS = ["conv1", "conv2", "upsample", "downsample"];
const FLUX_TARGETS = ["conv1", "conv2"];

/** The tensors of a tokenizer as the official code has them: adapters beside their convolutions. */
function parts(config: VaeConfig, targets: readonly string[], seed = 1) {
  return {
    vae: [...vaeTensors(config, seed), ...loraTensors(config, { rank: 2, targets, seed })],
    quantizer: quantizerTensors({ seed }),
  };
}

/** An official folder: weights and their moving averages, which differ. */
function official(config: VaeConfig, targets: readonly string[], naming: Naming) {
  const [trained, average] = [parts(config, targets, 1), parts(config, targets, 2)];
  return {
    "vae.safetensors": named(trained.vae, naming),
    "vae_ema.safetensors": named(average.vae, naming),
    "quantizer.safetensors": trained.quantizer,
    "quantizer_ema.safetensors": average.quantizer,
  };
}

/** The same tokenizer in a folder of our own. */
function ours(
  config: VaeConfig,
  quantizer: CodaQuantizerConfig,
  targets: readonly string[],
  seed = 2,
) {
  const { vae, quantizer: codes } = parts(config, targets, seed);
  return {
    "model.safetensors": [...named(vae, ldm, "vae."), ...named(codes, ldm, "quantizer.")],
    "config.json": { vae: vaeConfigToJson(config), quantizer: quantizerConfigToJson(quantizer) },
  };
}

/** Loads a tokenizer and says what it is. */
async function load(gpu: Gpu, path: string, options: TokenizerOptions = {}) {
  return await flat(gpu, async () => {
    const { vae, quantizer, modelId } = await loadTokenizer(gpu, path, options);
    using _vae = vae;
    using _quantizer = quantizer;
    return { vae: vae.config, quantizer: quantizer.config, modelId };
  });
}

const QUANTIZER: CodaQuantizerConfig = {
  codebookSize: 16,
  channels: 16,
  attentionDim: 8,
  patchSizes: PATCH_SIZES_F8,
  norm: "rms",
  beta: 0.05,
};

const RELEASES = [
  {
    name: "MAR's",
    vae: SMALL_KL16,
    quantizer: { ...QUANTIZER, patchSizes: PATCH_SIZES_F16 },
    targets: MAR_TARGETS,
    naming: ldm,
  },
  {
    name: "FLUX's",
    vae: SMALL_FLUX,
    quantizer: QUANTIZER,
    targets: FLUX_TARGETS,
    naming: diffusers(4),
  },
];

for (const { name, vae, quantizer, targets, naming } of RELEASES) {
  gpuTest(
    `an official folder of ${name} build loads without a flag, as the same model`,
    async (gpu) => {
      await withFolder(async (folder) => {
        await writeFiles(join(folder, "official"), official(vae, targets, naming));
        await writeFiles(join(folder, "ours"), ours(vae, quantizer, targets));
        const expected = await load(gpu, join(folder, "ours"));
        const found = await load(gpu, join(folder, "official"));
        assertEquals(found, { ...expected, vae, quantizer });
        const trained = await load(gpu, join(folder, "official"), { weights: "trained" });
        assertNotEquals(trained.modelId, expected.modelId);
        await writeFiles(join(folder, "ours"), ours(vae, quantizer, targets, 1));
        assertEquals(trained, await load(gpu, join(folder, "ours")));
      });
    },
  );

  gpuTest(`the adapters of ${name} build are kept apart for training`, async (gpu) => {
    await withFolder(async (folder) => {
      await writeFiles(folder, official(vae, targets, naming));
      const tensors = new Map(parts(vae, targets, 2).vae.map((tensor) => [tensor.name, tensor]));
      await flat(gpu, async () => {
        const found = await loadAdapted(gpu, folder);
        using apart = found.vae;
        using _quantizer = found.quantizer;
        using lora = found.lora!.parameters;
        assertEquals([found.lora!.rank, found.lora!.targets], [2, targets]);
        const own = [...await apart.parameters.weights(), ...await lora.weights()];
        assertEquals(own.length, tensors.size);
        for (const { name, data } of own) assertEquals(data, tensors.get(name)!.data, name);
        await assertSameImages(gpu, folder, apart);
      });
    });
  });
}

/** The autoencoder with its adapters beside it decodes as the one into which they are fused. */
async function assertSameImages(
  gpu: Gpu,
  folder: string,
  apart: Awaited<ReturnType<typeof loadAdapted>>["vae"],
): Promise<void> {
  const { vae, quantizer } = await loadTokenizer(gpu, folder);
  using fused = vae;
  using _quantizer = quantizer;
  const reads = (() => {
    using _scope = gpu.scope();
    const z = normal(gpu, [1, 1, 2, 16], new Random(1));
    return [apart, fused].map((model) => model.decode(z).readF32());
  })();
  const [a, b] = await Promise.all(reads);
  assertClose(a, b, { relative: 1e-5 });
}

gpuTest("the norm is the one whose parameters there are", async (gpu) => {
  const norms = { none: [], rms: ["weight"], layer: ["weight", "bias"] } as const;
  for (const [name, norm] of Object.entries(norms)) {
    await withFolder(async (folder) => {
      const vae = vaeTensors(SMALL_FLUX);
      await writeFiles(folder, {
        "vae.safetensors": vae,
        "quantizer.safetensors": quantizerTensors({ norm }),
      });
      const { quantizer } = await load(gpu, folder);
      assert(quantizer.kind === undefined && quantizer.norm === name);
    });
  }
});

gpuTest("one file that holds both models is a tokenizer", async (gpu) => {
  const { vae, quantizer } = parts(SMALL_FLUX, FLUX_TARGETS, 2);
  const all = [...named(vae, diffusers(4), "model.vae."), ...named(quantizer, ldm, "model.q.")];
  await withFolder(async (folder) => {
    await writeFiles(folder, { "x.safetensors": all, "y.txt": {} });
    const found = await load(gpu, join(folder, "x.safetensors"));
    assertEquals(found.quantizer, QUANTIZER);
    await writeFiles(join(folder, "ours"), ours(SMALL_FLUX, QUANTIZER, FLUX_TARGETS));
    assertEquals(found, await load(gpu, join(folder, "ours")));
  });
});

gpuTest("what does not fit a preset, another file or config.json is told", async (gpu) => {
  const refuse = (
    files: Record<string, TensorToStore[] | Record<string, unknown>>,
    message: string,
    options: TokenizerOptions = {},
  ) =>
    withFolder(async (folder) => {
      await writeFiles(folder, files);
      await assertRejects(() => load(gpu, folder, options), CheckpointError, message);
    });
  const vae = vaeTensors(SMALL_FLUX);
  const both = { "vae.safetensors": vae, "quantizer.safetensors": quantizerTensors() };
  await refuse(
    both,
    'quantizer.safetensors: has 16 codes and norm "rms", but preset flux-65536 has 65536',
    { preset: "flux-65536" },
  );
  await refuse(both, "but preset mar-16384 is MAR KL-16's: channels 128", { preset: "mar-16384" });
  await refuse(
    { ...both, "quantizer.safetensors": quantizerTensors({ channels: 4 }) },
    "quantizer.safetensors: quantizes 4 channels, the autoencoder's latent has 16",
  );
  const extra = { name: "attn.to_out.weight", shape: [1], data: new Float32Array(1) };
  await refuse(
    { ...both, "quantizer.safetensors": [...quantizerTensors(), extra] },
    'tensor "attn.to_out.weight" is in no quantizer of CODA\'s',
  );
  await refuse({ "vae.safetensors": vae }, "holds an autoencoder and no quantizer");
  await refuse({ "quantizer.safetensors": quantizerTensors() }, "holds no autoencoder");
  await refuse({ "model.safetensors": [extra] }, "holds no tokenizer; coda inspect");
  const layer = { ...QUANTIZER, norm: "none" as const };
  const json = { vae: vaeConfigToJson(SMALL_FLUX), quantizer: quantizerConfigToJson(layer) };
  await refuse(
    { ...both, "config.json": json },
    'config.json: quantizer.attn_norm_type is "none", but',
  );
});

gpuTest("where no scales are published for a reduction, they are asked for", async (gpu) => {
  const config = { ...SMALL_FLUX, channels: [32, 64], latentChannels: 16 };
  await withFolder(async (folder) => {
    await writeFiles(folder, {
      "vae.safetensors": vaeTensors(config),
      "quantizer.safetensors": quantizerTensors(),
    });
    await assertRejects(
      () => load(gpu, folder, { scale: 1 }),
      CheckpointError,
      "none are published for a reduction of 2; say them as patch_size_list",
    );
    const found = await load(gpu, folder, { scale: 1, patchSizes: [1, 2, 4] });
    assertEquals(found.quantizer.patchSizes, [1, 2, 4]);
  });
});
