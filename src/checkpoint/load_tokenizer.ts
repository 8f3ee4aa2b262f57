import type { Gpu } from "../gpu/mod.ts";
import { fuseLora, injectLora } from "../nn/mod.ts";
import { CodaQuantizer, quantizerConfigFromJson } from "../quantizer/mod.ts";
import { AutoencoderKL, vaeConfig } from "../vae/mod.ts";
import { type Config, configPart, parseConfig, readConfig, readingConfig } from "./config.ts";
import { modelId, type NamedWeights } from "./model_id.ts";
import { prefixed, type PrefixedFile } from "./prefixed.ts";
import { SafetensorsFile } from "./safetensors.ts";

/** A tokenizer's files, read or still open. */
export interface TokenizerFiles {
  /** The parsed config.json: `vae` in diffusers' field names, `quantizer` in the official code's. */
  readonly config: Config;
  /** The weights: `vae.*` and `quantizer.*`. */
  readonly weights: SafetensorsFile;
}

/** What a tokenizer is made of. */
export interface TokenizerParts {
  /** The autoencoder, LoRA fused. */
  readonly vae: AutoencoderKL;
  /** The quantizer. */
  readonly quantizer: CodaQuantizer;
  /** The hash of the weights as stored. */
  readonly modelId: string;
}

/** The tokenizer that ships with the package: see its model card. */
const EMBEDDED = new URL("../../models/tiny-coda-f8/", import.meta.url);

/**
 * Reads a tokenizer from a folder with config.json and model.safetensors, from files already open, or,
 * without a source, the embedded one.
 *
 * @throws {CheckpointError} where a file is missing, unsound or of another model.
 */
export async function loadTokenizer(
  gpu: Gpu,
  source?: string | TokenizerFiles,
): Promise<TokenizerParts> {
  if (typeof source === "object") return await loadParts(gpu, source);
  const files = source === undefined ? await openEmbedded() : await openFolder(source);
  using _weights = files.weights;
  return await loadParts(gpu, files);
}

async function openEmbedded(): Promise<TokenizerFiles> {
  const get = async (name: string) => await (await fetch(new URL(name, EMBEDDED))).bytes();
  const [config, weights] = await Promise.all([get("config.json"), get("model.safetensors")]);
  return {
    config: parseConfig(new TextDecoder().decode(config), "the embedded config.json"),
    weights: SafetensorsFile.fromBytes(weights, "the embedded tokenizer"),
  };
}

async function openFolder(folder: string): Promise<TokenizerFiles> {
  return {
    config: await readConfig(`${folder}/config.json`),
    weights: await SafetensorsFile.open(`${folder}/model.safetensors`),
  };
}

async function loadParts(gpu: Gpu, { config, weights }: TokenizerFiles): Promise<TokenizerParts> {
  const { file } = weights;
  const quantizerJson = configPart(config, "quantizer", file);
  const quantizerConfig = readingConfig(file, () => quantizerConfigFromJson(quantizerJson, file));
  const vae = await loadAdaptedVae(gpu, configPart(config, "vae", file), prefixed(weights, "vae."));
  try {
    const quantizer = await CodaQuantizer.load(
      gpu,
      quantizerConfig,
      prefixed(weights, "quantizer."),
    );
    return { vae, quantizer, modelId: await modelId(floatTensors(weights)) };
  } catch (error) {
    vae[Symbol.dispose]();
    throw error;
  }
}

/** Reads an autoencoder and, where the file has adapters, fuses them into it. */
async function loadAdaptedVae(
  gpu: Gpu,
  json: Config,
  weights: PrefixedFile,
): Promise<AutoencoderKL> {
  const config = readingConfig(weights.file, () => vaeConfig(json, weights));
  const vae = await AutoencoderKL.load(gpu, config, weights);
  const downName = (conv: string) => `${conv}.lora_layer.down.weight`;
  const adapted = vae.convs.filter(({ name }) => weights.has(downName(name)));
  if (adapted.length === 0) return vae;
  try {
    const [rank] = weights.info(downName(adapted[0].name)).shape;
    await injectLora(adapted, { rank, targets: [""] }).parameters.load(weights);
    fuseLora(adapted);
    return vae;
  } catch (error) {
    vae[Symbol.dispose]();
    throw error;
  }
}

async function* floatTensors(weights: SafetensorsFile): AsyncGenerator<NamedWeights> {
  for (const name of weights.names) {
    yield { name, shape: weights.info(name).shape, data: await weights.floats(name) };
  }
}
