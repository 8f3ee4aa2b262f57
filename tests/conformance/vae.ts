import { assert } from "@std/assert";
import { join } from "@std/path";
import { abs, add, affine, exp, mean, mul, square, sub } from "../../src/ops/mod.ts";
import { fuseLora, injectLora, type Lora, weightsOf } from "../../src/nn/mod.ts";
import { gradients, type Tensor } from "../../src/tensor/mod.ts";
import { AutoencoderKL, inferVaeConfig } from "../../src/vae/mod.ts";
import { assertClose } from "../support/compare.ts";
import { gpuTest } from "../support/gpu.ts";
import { generatedSource, type GeneratedWeight } from "./generated.ts";
import { Golden, tolerance } from "./golden.ts";
import type { Gpu } from "../../src/gpu/mod.ts";

export interface VaeJson {
  weights: GeneratedWeight[];
  f32_vs_f64: { moments_relL2_maxabs: [number, number]; recon_relL2_maxabs: [number, number] };
}

export interface LoraJson extends VaeJson {
  lora_rank: number;
  lora_modules: string[];
  lora_weights: GeneratedWeight[];
  lora_loss: number;
  lora_grad_norms: Record<string, number>;
}

/** Encoder, decoder and LoRA against the official code's. */
export function vae(goldens: string): void {
  for (const name of namesOf(goldens)) {
    gpuTest(`${name}: moments, images and what is sampled equal the official ones`, async (gpu) => {
      using golden = await Golden.open<VaeJson>(goldens, name);
      using model = await load(gpu, golden.json);
      await compareReconstruction(golden, model);
      if (golden.file.has("noise")) await comparePosterior(golden, model);
      await compareDecoded(golden, model);
    });
    gpuTest(`${name} in f16: moments and images are near the official ones`, async (gpu) => {
      using golden = await Golden.open<VaeJson>(goldens, name);
      using model = (await load(gpu, golden.json)).toHalf();
      await compareHalf(golden, model);
    });
    if (!hasLora(goldens, name)) continue;
    gpuTest(
      `${name} with LoRA: forward, fused forward and gradients equal the official ones`,
      async (gpu) => {
        using golden = await Golden.open<LoraJson>(goldens, name);
        using model = await load(gpu, golden.json);
        const { lora_rank: rank, lora_modules: targets, lora_weights } = golden.json;
        const lora = injectLora(model.convs, { rank, targets });
        await lora.parameters.load(generatedSource(lora_weights));
        await compareReconstruction(golden, model, "lora_");
        await compareLoraGradients(golden, model, lora);
        fuseLora(model.convs);
        await compareReconstruction(golden, model, "lora_");
      },
    );
  }
}

/** The autoencoders in the folder. */
export function namesOf(goldens: string): string[] {
  const names = [...Deno.readDirSync(goldens)].map(({ name }) => name);
  const found = names.flatMap((name) => /^(vae_.*)\.json$/.exec(name)?.[1] ?? []).sort();
  assert(found.length > 0, `${goldens} has no vae_*.json`);
  return found;
}

export function hasLora(goldens: string, name: string): boolean {
  return "lora_weights" in JSON.parse(Deno.readTextFileSync(join(goldens, `${name}.json`)));
}

async function load(gpu: Gpu, json: VaeJson): Promise<AutoencoderKL> {
  const shapes = new Map(json.weights.map(({ name, shape }) => [name, shape]));
  const config = inferVaeConfig({
    file: "generated weights",
    names: [...shapes.keys()],
    has: (name) => shapes.has(name),
    info: (name) => ({ shape: shapes.get(name)! }),
  });
  return await AutoencoderKL.load(gpu, config, generatedSource(json.weights));
}

function within(golden: Golden<VaeJson>, figure: keyof VaeJson["f32_vs_f64"]): number {
  return tolerance(1e-4, golden.json.f32_vs_f64[figure][0]);
}

export async function compareReconstruction(
  golden: Golden<VaeJson>,
  model: AutoencoderKL,
  prefix = "",
) {
  const { gpu } = model.parameters;
  using image = await golden.image(gpu, "image");
  const pending = (() => {
    using _scope = gpu.scope();
    const recon = model.decode(model.encode(image).mean);
    return [model.moments(image).readF32(), recon.readF32()];
  })();
  const [moments, recon] = await Promise.all(pending);
  await golden.assertImage(moments, `${prefix}moments`, within(golden, "moments_relL2_maxabs"));
  await golden.assertImage(recon, `${prefix}recon_of_mode`, within(golden, "recon_relL2_maxabs"));
}

/**
 * What storage in f16 may differ by from the official float32 numbers, ‖a−b‖/‖b‖. Each rounding is of up
 * to 4.9e-4 of a value; together they are 2.2e-3 and 4.1e-3 for the tiny autoencoder, 1.8e-3 and 2.8e-3
 * for the full one.
 */
const HALF = { moments: 3e-3, recon: 6e-3 };

async function compareHalf(golden: Golden<VaeJson>, model: AutoencoderKL): Promise<void> {
  const { gpu } = model.parameters;
  using image = await golden.image(gpu, "image");
  const pending = (() => {
    using _scope = gpu.scope();
    return [model.moments(image), model.decode(model.encode(image).mean)].map((y) => y.readF32());
  })();
  const [moments, recon] = await Promise.all(pending);
  await golden.assertImage(moments, "moments", HALF.moments);
  await golden.assertImage(recon, "recon_of_mode", HALF.recon);
}

async function comparePosterior(golden: Golden<VaeJson>, model: AutoencoderKL): Promise<void> {
  const { gpu } = model.parameters;
  using image = await golden.image(gpu, "image");
  using noise = await golden.image(gpu, "noise");
  const pending = (() => {
    using _scope = gpu.scope();
    const { mean: mode, logVariance } = model.encode(image);
    const sample = add(mode, mul(exp(affine(logVariance, 0.5, 0)), noise));
    return [mode, logVariance, sample].map((tensor) => tensor.readF32());
  })();
  const [mode, logVariance, sample] = await Promise.all(pending);
  const relative = within(golden, "moments_relL2_maxabs");
  await golden.assertImage(mode, "mean", relative);
  await golden.assertImage(logVariance, "logvar_clamped", relative);
  await golden.assertImage(sample, "sample_with_noise", relative);
}

/** Latents of any shape, `z_*`, and the images that they become, `decode_z_*`. */
async function compareDecoded(golden: Golden<VaeJson>, model: AutoencoderKL): Promise<void> {
  const relative = within(golden, "recon_relL2_maxabs");
  for (const name of golden.file.names.filter((name) => name.startsWith("z_"))) {
    using z = await golden.image(model.parameters.gpu, name);
    using decoded = model.decode(z);
    await golden.assertImage(await decoded.readF32(), `decode_${name}`, relative);
  }
}

async function compareLoraGradients(golden: Golden<LoraJson>, model: AutoencoderKL, lora: Lora) {
  const { gpu } = model.parameters;
  using image = await golden.image(gpu, "image");
  const parameters = [...lora.parameters];
  parameters.forEach(({ tensor }) => tensor.requireGrad());
  const pending = (() => {
    using _scope = gpu.scope();
    const loss = reconstructionLoss(model.decode(model.encode(image).mean), image);
    const value = loss.item();
    const found = gradients(loss, parameters.map(({ tensor }) => tensor));
    return [value, ...parameters.map((p, i) => weightsOf({ ...p, tensor: found[i] }))] as const;
  })();
  const [loss, ...weights] = await Promise.all(pending);
  assertClose([loss], [golden.json.lora_loss], { relative: 1e-4, name: "lora_loss" });
  for (const { name, data } of weights) {
    const norm = Math.hypot(...data);
    assertClose([norm], [golden.json.lora_grad_norms[name]], {
      relative: 1e-3,
      floor: 1e-12,
      name,
    });
    const stored = `lora_grad.${name}`;
    if (golden.file.has(stored)) {
      assertClose(data, await golden.file.floats(stored), {
        relative: 1e-3,
        floor: 1e-12,
        name: stored,
      });
    }
  }
}

function reconstructionLoss(recon: Tensor, image: Tensor): Tensor {
  const difference = sub(recon, image);
  return add(affine(mean(abs(difference)), 0.2, 0), mean(square(difference)));
}
