import { type AdaptedParts, loadAdapted, loadVae } from "../checkpoint/mod.ts";
import type { Gpu } from "../gpu/mod.ts";
import { type Conv2d, injectLora, type Lora } from "../nn/mod.ts";
import { CodaQuantizer, type CodaQuantizerConfig } from "../quantizer/mod.ts";
import type { AutoencoderKL } from "../vae/mod.ts";
import type { AdaptedModel } from "./trained_model.ts";
import { OptionError } from "./errors.ts";
import { type AdaptOptions, defaultPatchSizes, type ResolvedOptions } from "./options.ts";
import { loraRandom, quantizerRandom } from "./streams.ts";

/** What a run trains, and the options that its model has settled. */
export interface RunModel extends AdaptedModel, Disposable {
  /** The options; where the model goes on from a tokenizer, with that one's sizes. */
  readonly options: ResolvedOptions;
}

/**
 * The model that a run begins with: a continuous VAE with a new quantizer and new adapters, or, with
 * `from`, a tokenizer.
 *
 * @param given The options as they were given, without defaults.
 * @throws {OptionError} where an option does not fit the VAE or the tokenizer.
 * @throws {CheckpointError} where either cannot be read.
 */
export async function beginModel(
  gpu: Gpu,
  options: ResolvedOptions,
  given: Partial<AdaptOptions>,
): Promise<RunModel> {
  const { vae: path, from, scale, shift } = options;
  if (from === undefined) {
    const vae = await loadVae(gpu, path, { scale, shift });
    return disposedOnError(vae, () => newModel(gpu, vae, quantizerConfigOf(vae, options), options));
  }
  if (path !== undefined) {
    throw new OptionError("from", "is a tokenizer, which has its VAE: leave out the option vae");
  }
  const parts = await loadAdapted(gpu, from, { scale, shift });
  return disposedOnError(parts.vae, () => tokenizerModel(parts, options, given));
}

/** A model whose values are the first ones until they are restored. */
export function newModel(
  gpu: Gpu,
  vae: AutoencoderKL,
  quantizerConfig: CodaQuantizerConfig,
  options: ResolvedOptions,
): RunModel {
  expectSize(vae, options);
  const lora = newAdapters(vae, options);
  const quantizer = new CodaQuantizer(gpu, quantizerConfig);
  quantizer.parameters.initialize(quantizerRandom(options.seed));
  return runModel({ vae, lora, quantizer }, options);
}

/** A tokenizer as the model of a run; one whose adapters are fused gets new ones. */
function tokenizerModel(
  { vae, lora: own, quantizer }: AdaptedParts,
  options: ResolvedOptions,
  given: Partial<AdaptOptions>,
): RunModel {
  try {
    if (!(quantizer instanceof CodaQuantizer)) {
      throw new OptionError(
        "from",
        `is a tokenizer of kind "${quantizer.config.kind}", not CODA's`,
      );
    }
    expectSize(vae, options);
    const { codebookSize, patchSizes } = quantizer.config;
    const sizes = { codebookSize, patchSizes, ...own && { rank: own.rank, targets: own.targets } };
    for (const [name, value] of Object.entries(sizes)) {
      expectOwn(name, given[name as keyof AdaptOptions], value);
    }
    const settled = { ...options, ...sizes };
    return runModel({ vae, lora: own ?? newAdapters(vae, settled), quantizer }, settled);
  } catch (error) {
    own?.parameters[Symbol.dispose]();
    quantizer[Symbol.dispose]();
    throw error;
  }
}

function expectOwn(name: string, given: unknown, own: unknown): void {
  if (given === undefined || JSON.stringify(given) === JSON.stringify(own)) return;
  throw new OptionError(
    name,
    `is ${given}, but the tokenizer that the run goes on from has ${own}: leave it out`,
  );
}

function runModel(model: AdaptedModel, options: ResolvedOptions): RunModel {
  return {
    ...model,
    options,
    [Symbol.dispose]() {
      model.lora.parameters[Symbol.dispose]();
      model.quantizer[Symbol.dispose]();
      model.vae[Symbol.dispose]();
    },
  };
}

function disposedOnError<T>(vae: AutoencoderKL, make: () => T): T {
  try {
    return make();
  } catch (error) {
    vae[Symbol.dispose]();
    throw error;
  }
}

function expectSize(vae: AutoencoderKL, { imageSize }: ResolvedOptions): void {
  if (imageSize % vae.reduction === 0) return;
  throw new OptionError(
    "imageSize",
    `is ${imageSize}, expected a multiple of this VAE's reduction, ${vae.reduction}`,
  );
}

function quantizerConfigOf(vae: AutoencoderKL, options: ResolvedOptions): CodaQuantizerConfig {
  const { codebookSize, patchSizes } = options;
  return {
    codebookSize,
    channels: vae.config.latentChannels,
    attentionDim: 32,
    patchSizes: patchSizes ?? defaultPatchSizes(vae.reduction),
    norm: "rms",
    beta: 0.05,
  };
}

function newAdapters(vae: AutoencoderKL, { rank, targets, seed }: ResolvedOptions): Lora {
  const isTarget = ({ name }: Conv2d) => targets.some((target) => name.includes(target));
  if (![...vae.convs].some(isTarget)) {
    throw new OptionError(
      "targets",
      `is ${targets.join(",")}, but no convolution's name contains any of it; ` +
        "expected parts of names such as conv1",
    );
  }
  const lora = injectLora(vae.convs, { rank, targets });
  lora.parameters.initialize(loraRandom(seed));
  return lora;
}
