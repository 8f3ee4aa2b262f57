import type { Gpu } from "../gpu/mod.ts";
import { fuseLora, type Lora } from "../nn/mod.ts";
import { expectHalf } from "../ops/mod.ts";
import { loadQuantizer, type Quantizer } from "../quantizer/mod.ts";
import { AutoencoderKL } from "../vae/mod.ts";
import { loadAdapters } from "./adapters.ts";
import { assemble, type Checkpoint, openCheckpoint } from "./checkpoint.ts";
import type { Config } from "./config.ts";
import { openEmbedded } from "./embedded.ts";
import { modelId, type NamedWeights } from "./model_id.ts";
import type { WeightsKind } from "./parts.ts";
import {
  quantizerOf,
  type QuantizerOptions,
  type QuantizerSource,
  toldQuantizer,
} from "./quantizer_of.ts";
import type { TensorFile } from "./source.ts";
import { vaeOf, type VaeOptions, type VaeSource } from "./vae_of.ts";

/** A tokenizer's files, read or still open. */
export interface TokenizerFiles {
  /** The parsed config.json: `vae` in diffusers' field names, `quantizer` in the official code's. */
  readonly config: Config;
  /** A name of config.json for messages; by default one made of the weights'. */
  readonly configFile?: string;
  /** The weights: `vae.*` and `quantizer.*`. */
  readonly weights: TensorFile;
}

/** What is known of a tokenizer beside its files, and which of its weights are wanted. */
export interface TokenizerOptions extends VaeOptions, QuantizerOptions {
  /** Which weights are taken where a checkpoint has moving averages too; "ema". */
  readonly weights?: WeightsKind;
  /**
   * Stores the autoencoder's weights and feature maps in f16: half the memory. Tokens and images differ
   * from those of f32 by rounding: of two codes that are about as near, the other may be chosen. The
   * model's id stays, which says what codes mean.
   */
  readonly half?: boolean;
}

/** What a tokenizer is made of. */
export interface TokenizerParts {
  /** The autoencoder, LoRA fused. */
  readonly vae: AutoencoderKL;
  /** The quantizer. */
  readonly quantizer: Quantizer;
  /** The hash of the weights as stored. */
  readonly modelId: string;
}

/** A tokenizer to train on. */
export interface AdaptedParts {
  /** The autoencoder, its adapters beside its convolutions. */
  readonly vae: AutoencoderKL;
  /** The adapters; undefined where they are fused already. */
  readonly lora: Lora | undefined;
  /** The quantizer. */
  readonly quantizer: Quantizer;
}

/** The tokenizer that ships with the package: see its model card. */
const EMBEDDED = "tiny-coda-f8";

/**
 * Reads a tokenizer: from a folder that `coda adapt` wrote, an official CODA folder, or a weight file
 * that holds both models; from files already open; or, without a source, the embedded one.
 *
 * @throws {CheckpointError} where a file is missing, unsound or of another model.
 * @throws {GpuError} where half is asked for and the adapter has no f16.
 */
export async function loadTokenizer(
  gpu: Gpu,
  source?: string | TokenizerFiles,
  options: TokenizerOptions = {},
): Promise<TokenizerParts> {
  if (options.half) await expectHalf(gpu);
  if (typeof source === "object") return await loadFused(gpu, opened(source), options);
  using checkpoint = source === undefined
    ? opened(await openEmbedded(EMBEDDED))
    : await openCheckpoint(source, options.weights);
  return await loadFused(gpu, checkpoint, options);
}

/**
 * Reads a tokenizer with its adapters kept apart, to train it further: see {@link loadTokenizer} for
 * what is read.
 *
 * @throws {CheckpointError} where a file is missing, unsound or of another model.
 *
 * @example
 * ```ts
 * import { Gpu, loadAdapted } from "@coda/tokenizer";
 *
 * using gpu = await Gpu.create();
 * const { vae, lora, quantizer } = await loadAdapted(gpu, "models/tiny-coda-f8");
 * console.assert(lora === undefined && quantizer.config.channels === vae.config.latentChannels);
 * vae[Symbol.dispose]();
 * quantizer[Symbol.dispose]();
 * ```
 */
export async function loadAdapted(
  gpu: Gpu,
  path: string,
  options: Omit<TokenizerOptions, "half"> = {},
): Promise<AdaptedParts> {
  using checkpoint = await openCheckpoint(path, options.weights);
  return await loadParts(gpu, tokenizerOf(checkpoint, options));
}

/** The tensors and configurations of both models. */
interface TokenizerSource {
  readonly vae: VaeSource;
  readonly quantizer: QuantizerSource;
}

/** The tokenizer of a checkpoint, checked before any memory of the device is taken. */
export function tokenizerOf(checkpoint: Checkpoint, options: TokenizerOptions): TokenizerSource {
  toldQuantizer(checkpoint); // a folder that is no tokenizer's is told before what its VAE lacks
  const vae = vaeOf(checkpoint, options);
  return { vae, quantizer: quantizerOf(checkpoint, vae.config, options) };
}

function opened({ config, configFile, weights }: TokenizerFiles): Checkpoint {
  const file = configFile ?? `config.json of ${weights.file}`;
  return assemble(weights.file, [weights], { json: config, file });
}

async function loadFused(
  gpu: Gpu,
  checkpoint: Checkpoint,
  options: TokenizerOptions,
): Promise<TokenizerParts> {
  const source = tokenizerOf(checkpoint, options);
  const parts = await loadParts(gpu, source);
  const { quantizer } = parts;
  let { vae } = parts;
  try {
    fuseLora(vae.convs);
    if (options.half) vae = vae.toHalf();
    return { vae, quantizer, modelId: await modelId(floatTensors(source)) };
  } catch (error) {
    vae[Symbol.dispose]();
    quantizer[Symbol.dispose]();
    throw error;
  }
}

async function loadParts(gpu: Gpu, source: TokenizerSource): Promise<AdaptedParts> {
  const vae = await AutoencoderKL.load(gpu, source.vae.config, source.vae.weights);
  let lora: Lora | undefined;
  try {
    lora = await loadAdapters(vae, source.vae.weights);
    const { config, weights } = source.quantizer;
    return { vae, lora, quantizer: await loadQuantizer(gpu, config, weights) };
  } catch (error) {
    lora?.parameters[Symbol.dispose]();
    vae[Symbol.dispose]();
    throw error;
  }
}

/** All weights under the names that they have in a folder of our own, whatever the files call them. */
async function* floatTensors({ vae, quantizer }: TokenizerSource): AsyncGenerator<NamedWeights> {
  for (const [prefix, { weights }] of [["vae", vae], ["quantizer", quantizer]] as const) {
    for (const name of weights.names) {
      const { shape } = weights.info(name);
      yield { name: `${prefix}.${name}`, shape, data: await weights.floats(name) };
    }
  }
}
