import type { Gpu } from "../gpu/mod.ts";
import { AutoencoderKL, vaeConfig } from "../vae/mod.ts";
import { readConfig } from "./config.ts";
import { CheckpointError } from "./errors.ts";
import { SafetensorsFile } from "./safetensors.ts";

/**
 * Reads a continuous VAE from a folder with a config.json in diffusers' field names and one
 * .safetensors file in LDM key layout.
 *
 * @throws {CheckpointError} where a file is missing, unsound or of another model.
 *
 * @example
 * ```ts ignore
 * using vae = await loadVae(gpu, "models/tiny-kl-f8");
 * ```
 */
export async function loadVae(gpu: Gpu, folder: string): Promise<AutoencoderKL> {
  const config = await readConfig(`${folder}/config.json`);
  using weights = await SafetensorsFile.open(await weightsFile(folder));
  return await AutoencoderKL.load(gpu, vaeConfig(config, weights), weights);
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
