import type { Gpu } from "../gpu/mod.ts";
import { fuseLora, injectLora } from "../nn/mod.ts";
import { CodaQuantizer, quantizerConfigFromJson } from "../quantizer/mod.ts";
import { AutoencoderKL } from "../vae/mod.ts";
import { type Config, configPart, readConfig, readingConfig } from "./config.ts";
import { openEmbedded } from "./embedded.ts";
import { modelId, type NamedWeights } from "./model_id.ts";
import { prefixed, type PrefixedFile } from "./prefixed.ts";
import { readVaeConfig } from "./read_vae_config.ts";
import { SafetensorsFile } from "./safetensors.ts";

/** A tokenizer's files, read or still open. */
export interface TokenizerFiles {
  /** The parsed config.json: `vae` in diffusers' field names, `quantizer` in the official code's. */
  readonly config: Config;
  /** A name of config.json for messages; by default one made of the weights'. */
  readonly configFile?: string;
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
const EMBEDDED = "tiny-coda-f8";

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
  const files = source === undefined ? await openEmbedded(EMBEDDED) : await openFolder(source);
  using _weights = files.weights;
  return await loadParts(gpu, files);
}

async function openFolder(folder: string): Promise<TokenizerFiles> {
  const configFile = `${folder}/config.json`;
  const config = await readConfig(configFile);
  return { config, configFile, weights: await SafetensorsFile.open(`${folder}/model.safetensors`) };
}

async function loadParts(gpu: Gpu, files: TokenizerFiles): Promise<TokenizerParts> {
  const { config, weights, configFile = `config.json of ${weights.file}` } = files;
  const quantizerJson = configPart(config, "quantizer", configFile);
  const vaeJson = configPart(config, "vae", configFile);
  const quantizerConfig = readingConfig(
    configFile,
    () => quantizerConfigFromJson(quantizerJson, configFile),
  );
  const { codebookSize, channels, attentionDim } = quantizerConfig;
  // Before memory is taken: another model's config.json may ask for any amount of it.
  weights.expectShape("quantizer.codebooks.weight", [codebookSize, channels]);
  weights.expectShape("quantizer.attn.to_q.weight", [attentionDim, channels]);
  const vae = await loadAdaptedVae(gpu, { json: vaeJson, configFile }, prefixed(weights, "vae."));
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
  { json, configFile }: { json: Config; configFile: string },
  weights: PrefixedFile,
): Promise<AutoencoderKL> {
  const config = readVaeConfig(json, configFile, weights);
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
