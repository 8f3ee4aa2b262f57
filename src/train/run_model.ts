import { type AdaptedParts, loadAdapted, loadVae } from "../checkpoint/mod.ts";
import type { Gpu } from "../gpu/mod.ts";
import { type Conv2d, injectLora, type Lora, uniformWith } from "../nn/mod.ts";
import {
  makeQuantizer,
  NearestQuantizer,
  type Quantizer,
  type QuantizerConfig,
} from "../quantizer/mod.ts";
import { AutoencoderKL } from "../vae/mod.ts";
import { readArchitecture } from "./architecture.ts";
import { OptionError } from "./errors.ts";
import { type AdaptOptions, defaultPatchSizes, type ResolvedOptions } from "./options.ts";
import { loraRandom, quantizerRandom, vaeRandom } from "./streams.ts";
import type { TrainedModel } from "./trained_model.ts";

/** What a run trains, and the options that its model has settled. */
export interface RunModel extends TrainedModel, Disposable {
  /** The options; where the model goes on from a tokenizer, with that one's sizes. */
  readonly options: ResolvedOptions;
}

/**
 * The model that a run begins with: a continuous VAE with a new quantizer and new adapters, with `from` a
 * tokenizer, or an autoencoder from scratch.
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
  const { task, vae: path, from, scale, shift } = options;
  if (from === undefined) {
    const vae = task === "adapt"
      ? await loadVae(gpu, path, { scale, shift })
      : await vaeFromScratch(gpu, options);
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
  quantizerConfig: QuantizerConfig | undefined,
  options: ResolvedOptions,
): RunModel {
  expectSize(vae, options);
  const trainsVae = options.task !== "adapt";
  const lora = trainsVae ? undefined : newAdapters(vae, options);
  const quantizer = quantizerConfig && newQuantizer(gpu, quantizerConfig, options);
  return runModel({ vae, lora, trainsVae, quantizer }, options);
}

/** A tokenizer as the model of a run; one whose adapters are fused gets new ones. */
function tokenizerModel(
  { vae, lora: own, quantizer }: AdaptedParts,
  options: ResolvedOptions,
  given: Partial<AdaptOptions>,
): RunModel {
  try {
    expectSize(vae, options);
    const { kind = "coda", codebookSize, patchSizes } = quantizer.config;
    const sizes = {
      quantizer: kind,
      codebookSize,
      patchSizes,
      ...own && { rank: own.rank, targets: own.targets },
    };
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

function runModel(
  model: TrainedModel,
  options: ResolvedOptions,
): RunModel {
  return {
    ...model,
    options,
    [Symbol.dispose]() {
      model.lora?.parameters[Symbol.dispose]();
      model.quantizer?.[Symbol.dispose]();
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

/** An autoencoder of PyTorch's first values, whose latent is not scaled. */
async function vaeFromScratch(
  gpu: Gpu,
  { architecture, seed }: ResolvedOptions,
): Promise<AutoencoderKL> {
  const shape = await readArchitecture(architecture);
  const vae = new AutoencoderKL(gpu, { ...shape, scale: 1, shift: 0 });
  vae.parameters.initialize(vaeRandom(seed));
  return vae;
}

function expectSize(vae: AutoencoderKL, { imageSize }: ResolvedOptions): void {
  if (imageSize % vae.reduction === 0) return;
  throw new OptionError(
    "imageSize",
    `is ${imageSize}, expected a multiple of this VAE's reduction, ${vae.reduction}`,
  );
}

function quantizerConfigOf(
  vae: AutoencoderKL,
  { task, quantizer: kind, codebookSize, patchSizes: given }: ResolvedOptions,
): QuantizerConfig | undefined {
  if (task === "vae") return undefined;
  const patchSizes = given ?? defaultPatchSizes(vae.reduction);
  const shape = { codebookSize, channels: vae.config.latentChannels, patchSizes };
  switch (kind) {
    case "coda":
      return { ...shape, attentionDim: 32, norm: "rms", beta: 0.05 };
    case "nearest":
      if (given && given.length > 1) {
        throw new OptionError(
          "patchSizes",
          `is ${given}, but direct VQ has one scale: leave it out`,
        );
      }
      return { kind, ...shape, patchSizes: patchSizes.slice(-1), beta: 0.25 };
    case "multiscale":
      return { kind, ...shape, quantResi: 0.5, shareQuantResi: 4, beta: 0.25 };
  }
}

/** A quantizer of its first values; VQGAN's codes have those of its authors, U(±1/V). */
function newQuantizer(
  gpu: Gpu,
  config: QuantizerConfig,
  { task, seed }: ResolvedOptions,
): Quantizer {
  const quantizer = task === "vqgan" && config.kind === "nearest"
    ? new NearestQuantizer(gpu, config, { codebook: uniformWith(1 / config.codebookSize) })
    : makeQuantizer(gpu, config);
  quantizer.parameters.initialize(quantizerRandom(seed));
  return quantizer;
}

/** Undefined where there are to be none. */
function newAdapters(
  vae: AutoencoderKL,
  { rank, targets, seed }: ResolvedOptions,
): Lora | undefined {
  if (rank === 0) return undefined;
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
