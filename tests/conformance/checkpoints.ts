import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import {
  convertCheckpoint,
  loadTokenizer,
  loadVae,
  openTensors,
  type TensorToMake,
  writeSafetensors,
} from "../../src/checkpoint/mod.ts";
import { diffusers, ldm, type Naming } from "../checkpoint/weights.ts";
import { withFolder } from "../data/photos.ts";
import { gpuTest } from "../support/gpu.ts";
import { generate, type GeneratedWeight } from "./generated.ts";
import { Golden } from "./golden.ts";
import { compareReconstruction, hasLora, type LoraJson, namesOf, type VaeJson } from "./vae.ts";

/** The official weights through files: every layout and format, and official folders. */
export function checkpoints(goldens: string): void {
  convertsPytorch(goldens);
  for (const name of namesOf(goldens)) {
    for (const layout of ["LDM's", "diffusers'"]) {
      gpuTest(`${name} from a file in ${layout} layout: the official images`, async (gpu) => {
        using golden = await Golden.open<VaeJson>(goldens, name);
        await withFolder(async (folder) => {
          const path = join(folder, "kl16.safetensors");
          const naming = layout === "LDM's" ? ldm : diffusers(levelsOf(golden.json.weights));
          await writeWeights(path, golden.json.weights, naming, "model.");
          using vae = await loadVae(gpu, path);
          await compareReconstruction(golden, vae);
        });
      });
    }
    if (!hasLora(goldens, name)) continue;
    for (const quantizer of quantizersIn(goldens)) {
      gpuTest(`${name} with LoRA and ${quantizer} in an official folder`, async (gpu) => {
        using golden = await Golden.open<LoraJson>(goldens, name);
        await withFolder(async (folder) => {
          const { weights, lora_weights } = golden.json;
          const vaeFile = join(folder, "vae_ema.safetensors");
          await writeWeights(vaeFile, [...weights, ...lora_weights], ldm);
          const extension = quantizer.slice(quantizer.lastIndexOf("."));
          await Deno.copyFile(
            join(goldens, quantizer),
            join(folder, `quantizer_ema${extension}`),
          );
          const tokenizer = await loadTokenizer(gpu, folder);
          using vae = tokenizer.vae;
          using codes = tokenizer.quantizer;
          await compareReconstruction(golden, vae, "lora_");
          using file = await openTensors(join(goldens, "quantizer_small.safetensors"));
          for (const { name, data } of await codes.parameters.weights()) {
            assertEquals(data, await file.floats(name), name);
          }
        });
      });
    }
  }
}

function levelsOf(weights: readonly GeneratedWeight[]): number {
  return weights.filter(({ name }) => /^encoder\.down\.\d+\.block\.0\.conv1\.weight$/.test(name))
    .length;
}

/** Every PyTorch file becomes safetensors with its very tensors; a quantizer's its own names. */
function convertsPytorch(goldens: string): void {
  const names = [...Deno.readDirSync(goldens)].map(({ name }) => name);
  for (const name of names.filter((name) => name.endsWith(".pth")).sort()) {
    Deno.test(`${name} is converted to safetensors, tensor for tensor`, async () => {
      await withFolder(async (folder) => {
        const path = join(folder, "out.safetensors");
        const { kind, tensors } = await convertCheckpoint(join(goldens, name), path);
        using before = await openTensors(join(goldens, name));
        using after = await openTensors(path);
        assertEquals(kind, name.startsWith("views") ? "tensors" : "quantizer");
        assertEquals([after.names.length, tensors], [before.names.length, tensors]);
        for (const stored of before.names) {
          const tensor = await before.tensor(stored);
          const there = await after.tensor(
            kind === "tensors" ? stored : stored.replace("model.", ""),
          );
          assertEquals(there.data, tensor.data, stored);
          assertEquals(there.shape, tensor.shape, stored);
          assertEquals(there.dtype, tensor.dtype === "f64" ? "f32" : tensor.dtype, stored);
        }
      });
    });
  }
}

/** The files that hold the small quantizer in full precision. */
function quantizersIn(goldens: string): string[] {
  const names = [...Deno.readDirSync(goldens)].map(({ name }) => name);
  const found = names.filter((name) =>
    /^quantizer_small(?:_legacy)?\.(?:pth|safetensors)$/.test(name)
  );
  assert(found.length > 0, `${goldens} has no quantizer_small`);
  return found.sort();
}

async function writeWeights(
  path: string,
  weights: readonly GeneratedWeight[],
  naming: Naming,
  prefix = "",
): Promise<void> {
  const tensors = weights.map((weight): TensorToMake => {
    const [name, shape] = naming(weight.name, weight.shape);
    const make = () => Promise.resolve(generate(weight));
    return { name: prefix + name, shape, dtype: "f32", make };
  });
  await writeSafetensors(path, tensors);
}
