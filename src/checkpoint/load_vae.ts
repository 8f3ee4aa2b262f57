import type { Gpu } from "../gpu/mod.ts";
import { AutoencoderKL } from "../vae/mod.ts";
import { readConfig } from "./config.ts";
import { type EmbeddedModel, openEmbedded } from "./embedded.ts";
import { CheckpointError } from "./errors.ts";
import { readVaeConfig } from "./read_vae_config.ts";
import { SafetensorsFile } from "./safetensors.ts";

/** The continuous VAE that ships with the package: see its model card. */
const EMBEDDED = "tiny-kl-f8";

/**
 * Reads a continuous VAE from a folder with a config.json in diffusers' field names and one
 * .safetensors file in LDM key layout, or, without a folder, the embedded one.
 *
 * @throws {CheckpointError} where a file is missing, unsound or of another model.
 *
 * @example
 * ```ts
 * import { Gpu, loadVae } from "@coda/tokenizer";
 *
 * using gpu = await Gpu.create();
 * using vae = await loadVae(gpu, "models/tiny-kl-f8");
 * console.assert(vae.reduction === 8);
 * ```
 */
export async function loadVae(gpu: Gpu, folder?: string): Promise<AutoencoderKL> {
  const { config, configFile, weights } = folder === undefined
    ? await openEmbedded(EMBEDDED)
    : await openFolder(folder);
  using file = weights;
  return await AutoencoderKL.load(gpu, readVaeConfig(config, configFile, file), file);
}

async function openFolder(folder: string): Promise<EmbeddedModel> {
  const configFile = `${folder}/config.json`;
  const config = await readConfig(configFile);
  return { config, configFile, weights: await SafetensorsFile.open(await weightsFile(folder)) };
}

async function weightsFile(folder: string): Promise<string> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (!isDirectory && !name.startsWith(".") && name.endsWith(".safetensors")) found.push(name);
  }
  if (found.length === 1) return `${folder}/${found[0]}`;
  throw new CheckpointError(
    folder,
    found.length === 0
      ? "holds no .safetensors file; name a folder with config.json and the weights"
      : `holds ${found.length} .safetensors files (${found.sort().join(", ")}); leave one`,
  );
}
