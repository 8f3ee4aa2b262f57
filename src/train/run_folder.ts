import {
  type Config,
  configPart,
  makeFolder,
  prefixed,
  readConfig,
  readingConfig,
  readVaeConfig,
  SafetensorsFile,
  type TensorToStore,
  writeFileAtomic,
  writeSafetensors,
} from "../checkpoint/mod.ts";
import type { Gpu } from "../gpu/mod.ts";
import type { Parameters } from "../nn/mod.ts";
import { quantizerConfigFromJson, quantizerConfigToJson } from "../quantizer/mod.ts";
import { AutoencoderKL, vaeConfigToJson } from "../vae/mod.ts";
import type { Adaptation } from "./adaptation.ts";
import { isFree } from "./begun.ts";
import { RunError } from "./errors.ts";
import { MetricsLog } from "./metrics_log.ts";
import type { ResolvedOptions } from "./options.ts";
import { readOptions } from "./read_options.ts";
import { newModel, type RunModel } from "./run_model.ts";

/**
 * A run on disk.
 *
 * - `config.json`, written first: `vae`, `quantizer`, `lora` and `training`, all that rebuilding needs.
 * - `model.safetensors`: the tokenizer to use. `vae.*` by LDM key with the adapters beside their
 *   convolutions, `quantizer.*` by official key; moving averages all, `step` in the metadata.
 * - `training.safetensors`: what resuming needs, in one file and so of one step. `quantizer.*`, `lora.*`
 *   and `discriminator.*` as trained, `ema.*`, `first.*` and `second.*` of each, and
 *   `buffers.discriminator.*`, its spectral-norm vectors and batch statistics.
 * - `metrics.jsonl`: a line a report.
 */
export class RunFolder {
  /** The folder. */
  readonly path: string;
  /** The parsed config.json. */
  readonly config: Config;
  /** The reports. */
  readonly metrics: MetricsLog;

  private constructor(path: string, config: Config) {
    this.path = path;
    this.config = config;
    this.metrics = new MetricsLog(`${path}/metrics.jsonl`);
  }

  /**
   * Begins a run: makes the folder and writes config.json. What a run left there that ended before
   * its first save is written over.
   *
   * @throws {RunError} where there is anything else already.
   * @throws {WriteError} where nothing can be written there.
   */
  static async create(path: string, config: Config): Promise<RunFolder> {
    await makeFolder(path);
    if (!await isFree(path)) {
      throw new RunError(path, "is not empty: resume the run in it, or name another folder");
    }
    const folder = new RunFolder(path, config);
    await folder.metrics.truncate(0);
    await writeFileAtomic(`${path}/config.json`, `${JSON.stringify(config, undefined, 2)}\n`);
    return folder;
  }

  /**
   * Opens a run to continue it.
   *
   * @throws {CheckpointError} where there is none.
   * @throws {WriteError} where nothing can be written there.
   */
  static async open(path: string): Promise<RunFolder> {
    const config = await readConfig(`${path}/config.json`);
    await makeFolder(path);
    return new RunFolder(path, config);
  }

  /** The options that the run began with. @throws {CheckpointError} where they are unsound. */
  get options(): ResolvedOptions {
    return readOptions(this.config, `${this.path}/config.json`);
  }

  /** Whether the run was saved since it began. */
  async isSaved(): Promise<boolean> {
    return await exists(this.#training);
  }

  /** The model of a run that was saved, its VAE as it was and the rest to be restored. */
  async model(gpu: Gpu, options: ResolvedOptions): Promise<RunModel> {
    const configFile = `${this.path}/config.json`;
    const quantizerJson = configPart(this.config, "quantizer", configFile);
    const quantizer = readingConfig(
      configFile,
      () => quantizerConfigFromJson(quantizerJson, configFile),
    );
    const vae = await this.#loadVae(gpu);
    try {
      return newModel(gpu, vae, quantizer, options);
    } catch (error) {
      vae[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Writes the model, then the training state; each is whole or not there.
   *
   * @param images The digest of the run's images.
   * @throws {RunError} where the weights are not finite; what was saved before stays.
   */
  async save(adaptation: Adaptation, images: string): Promise<void> {
    const model = await Promise.all(
      modelParts(adaptation).map(({ prefix, parameters }) => stored(prefix, parameters)),
    );
    const state = await Promise.all(
      adaptation.state.map(({ prefix, parameters }) => stored(prefix, parameters)),
    );
    const step = String(adaptation.step);
    for (const tensor of state.flat()) this.#expectFinite(tensor, step);
    await writeSafetensors(this.#model, model.flat(), { metadata: { step } });
    await writeSafetensors(this.#training, state.flat(), { metadata: { step, images } });
  }

  /**
   * Brings an adaptation to where the run was saved.
   *
   * @param images The digest of the images that are given now.
   * @throws {RunError} where they are others than the run began with.
   * @throws {CheckpointError} where the state is unsound.
   */
  async restore(adaptation: Adaptation, images: string): Promise<void> {
    using file = await SafetensorsFile.open(this.#training);
    if (file.metadata.images !== images) {
      throw new RunError(
        this.path,
        "the images are not those that the run began with: give it the same files, " +
          "or begin another run",
      );
    }
    for (const { prefix, parameters } of adaptation.state) {
      await parameters.load(prefixed(file, prefix));
    }
    adaptation.resume(Number(file.metadata.step));
    await this.metrics.truncate(adaptation.step);
  }

  /** The continuous VAE, without the adapters. */
  async #loadVae(gpu: Gpu): Promise<AutoencoderKL> {
    using file = await SafetensorsFile.open(this.#model);
    const weights = prefixed(file, "vae.");
    const configFile = `${this.path}/config.json`;
    const config = readVaeConfig(configPart(this.config, "vae", configFile), configFile, weights);
    return await AutoencoderKL.load(gpu, config, weights);
  }

  get #model(): string {
    return `${this.path}/model.safetensors`;
  }

  get #training(): string {
    return `${this.path}/training.safetensors`;
  }

  #expectFinite({ name, data }: TensorToStore, step: string): void {
    const { length } = data;
    for (let i = 0; i < length; i++) {
      if (!Number.isFinite(Number(data[i]))) throw divergence(this.path, `${name} at step ${step}`);
    }
  }
}

/** The error of a run whose numbers are no longer finite. */
export function divergence(folder: string, where: string): RunError {
  return new RunError(
    folder,
    `the run diverged: ${where} is not finite; what was saved before is kept; ` +
      "begin another run with a lower lr",
  );
}

/** The config.json of a run. */
export function runConfig({ vae, quantizer, lora, options }: RunModel): Config {
  return {
    vae: vaeConfigToJson(vae.config),
    quantizer: quantizerConfigToJson(quantizer.config),
    lora: { rank: lora.rank, targets: lora.targets },
    training: { ...options, patchSizes: quantizer.config.patchSizes },
  };
}

/** What the model is made of: averages of what was trained, beside what was not. */
function modelParts({ model: { vae }, autoencoder, quantizer }: Adaptation) {
  const frozen = autoencoder?.name === "vae" ? [] : [vae.parameters];
  return [
    ...[...frozen, ...autoencoder ? [autoencoder.ema.average] : []].map((parameters) => ({
      prefix: "vae.",
      parameters,
    })),
    ...quantizer ? [{ prefix: "quantizer.", parameters: quantizer.ema.average }] : [],
  ];
}

async function stored(prefix: string, parameters: Parameters): Promise<TensorToStore[]> {
  const weights = await parameters.weights();
  return weights.map(({ name, shape, data }) => ({ name: prefix + name, shape, data }));
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
