import type { Gpu } from "../gpu/mod.ts";
import { AutoencoderKL, vaeConfig } from "../vae/mod.ts";
import { type Config, parseConfig, readConfig, readingConfig } from "./config.ts";
import { CheckpointError } from "./errors.ts";
import { SafetensorsFile } from "./safetensors.ts";

/** The continuous VAE that ships with the package: see its model card. */
const EMBEDDED = new URL("../../models/tiny-kl-f8/", import.meta.url);

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
  if (folder === undefined) return await loadEmbedded(gpu);
  const config = await readConfig(`${folder}/config.json`);
  using weights = await SafetensorsFile.open(await weightsFile(folder));
  return await build(gpu, config, weights);
}

async function loadEmbedded(gpu: Gpu): Promise<AutoencoderKL> {
  const get = async (name: string) => await (await fetch(new URL(name, EMBEDDED))).bytes();
  const [config, weights] = await Promise.all([get("config.json"), get("model.safetensors")]);
  const json = parseConfig(new TextDecoder().decode(config), "the embedded config.json");
  using file = SafetensorsFile.fromBytes(weights, "the embedded VAE");
  return await build(gpu, json, file);
}

async function build(gpu: Gpu, json: Config, weights: SafetensorsFile): Promise<AutoencoderKL> {
  const config = readingConfig(weights.file, () => vaeConfig(json, weights));
  return await AutoencoderKL.load(gpu, config, weights);
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
