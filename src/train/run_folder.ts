import { linkFileAtomic } from "../checkpoint/atomic.ts";
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
  WriteError,
  writeFileAtomic,
  writeSafetensors,
} from "../checkpoint/mod.ts";
import type { Gpu } from "../gpu/mod.ts";
import type { Parameters } from "../nn/mod.ts";
import { quantizerConfigFromJson, quantizerConfigToJson } from "../quantizer/mod.ts";
import {
  AutoencoderKL,
  isUnmeasured,
  type Scaling,
  unmeasured,
  vaeConfigToJson,
} from "../vae/mod.ts";
import type { Adaptation } from "./adaptation.ts";
import { clearBegun, isFree } from "./begun.ts";
import { Checkpoints, type Sound } from "./checkpoints.ts";
import { divergence, unsaved } from "./endings.ts";
import { RunError } from "./errors.ts";
import type { Evaluation } from "./evaluation.ts";
import { lockFolder } from "./folder_lock.ts";
import type { RunCritics } from "./load_critics.ts";
import { recipeOf, type ResolvedOptions } from "./options.ts";
import { readOptions } from "./read_options.ts";
import type { Digests } from "./run_images.ts";
import { RunLog } from "./run_log.ts";
import { newModel, type RunModel } from "./run_model.ts";

const MODEL = "model.safetensors";
const TRAINING = "training.safetensors";

/** The latent of a VAE in training, which no loss scales. */
const UNSCALED: Scaling = { scale: 1, shift: 0 };

/**
 * A run on disk.
 *
 * - `config.json`, written first: `vae`, `quantizer`, `lora` and `training`, all that rebuilding needs, and
 *   `losses`, the weight of each and which of the recipe's are off. A VAE's scale is in it when the run is
 *   done; before, whoever would use the VAE is told that it is not.
 * - `checkpoints/step-N`: what was saved at a step, a tokenizer by itself. `config.json` as above;
 *   `model.safetensors`: `vae.*` by LDM key with the adapters beside their convolutions,
 *   `quantizer.*` by official key, moving averages all, `step` in the metadata;
 *   `training.safetensors`, what resuming needs: `quantizer.*`, `lora.*` and `discriminator.*` as
 *   trained, `ema.*`, `first.*` and `second.*` of each, and `buffers.discriminator.*`, its
 *   spectral-norm vectors and batch statistics.
 * - `model.safetensors`: the newest checkpoint's, by a second name.
 * - `best`: a tokenizer, the model of the checkpoint with the best evaluation.
 * - `metrics.jsonl`: a line a report, and one an evaluation; `samples/step-N.png`: pictures;
 *   `tensorboard`: all of it as event files, one a start.
 * - `.lock`: there while a process writes the run, until it is disposed; see {@link lockFolder}.
 */
export class RunFolder implements Disposable {
  /** The folder. */
  readonly path: string;
  /** Reports, evaluations and pictures. */
  readonly log: RunLog;
  #config: Config;
  #lock: Disposable;
  #checkpoints: Checkpoints;
  #saved: Sound | undefined;
  #best: Evaluation | undefined;

  private constructor(path: string, config: Config, lock: Disposable) {
    this.path = path;
    this.#config = config;
    this.#lock = lock;
    this.log = new RunLog(path);
    this.#checkpoints = new Checkpoints(`${path}/checkpoints`);
  }

  /**
   * Begins a run: makes the folder and writes config.json. What a run left there that ended before
   * its first save is written over.
   *
   * @throws {RunError} where there is anything else already, or another process writes it.
   * @throws {WriteError} where nothing can be written there.
   */
  static async create(path: string, config: Config): Promise<RunFolder> {
    await makeFolder(path);
    return await RunFolder.#locked(path, config, async (folder) => {
      if (!await isFree(path)) {
        throw new RunError(path, "is not empty: resume the run in it, or name another folder");
      }
      await clearBegun(path);
      await folder.#writeConfig(path);
    });
  }

  /**
   * Opens a run to continue it where it was last saved soundly.
   *
   * @throws {CheckpointError} where there is none, or it was saved and no checkpoint is sound.
   * @throws {RunError} where another process writes it.
   * @throws {WriteError} where nothing can be written there.
   */
  static async open(path: string): Promise<RunFolder> {
    const config = await readConfig(`${path}/config.json`);
    await makeFolder(path);
    return await RunFolder.#locked(path, config, async (folder) => {
      folder.#saved = await folder.#checkpoints.latestSound();
    });
  }

  /** The folder, kept to this process; given back where `prepare` fails. */
  static async #locked(
    path: string,
    config: Config,
    prepare: (folder: RunFolder) => Promise<void>,
  ): Promise<RunFolder> {
    const folder = new RunFolder(path, config, await lockFolder(path));
    try {
      await prepare(folder);
      return folder;
    } catch (error) {
      folder[Symbol.dispose]();
      throw error;
    }
  }

  /** Lets other processes write it. */
  [Symbol.dispose](): void {
    this.#lock[Symbol.dispose]();
  }

  /** The parsed config.json. */
  get config(): Config {
    return this.#config;
  }

  /** The options that the run began with. @throws {CheckpointError} where they are unsound. */
  get options(): ResolvedOptions {
    return readOptions(this.config, `${this.path}/config.json`);
  }

  /** The step that was saved last, where one was. */
  get savedStep(): number | undefined {
    return this.#saved?.step;
  }

  /** What is wrong with checkpoints that were passed over. */
  get faults(): readonly string[] {
    return this.#saved?.faults ?? [];
  }

  /** The model of a run that was saved, its VAE as it was and the rest to be restored. */
  async model(gpu: Gpu, options: ResolvedOptions): Promise<RunModel> {
    const configFile = `${this.path}/config.json`;
    const quantizer = options.task === "vae" ? undefined : readingConfig(
      configFile,
      () => quantizerConfigFromJson(configPart(this.config, "quantizer", configFile), configFile),
    );
    const vae = await this.#loadVae(gpu, this.#saved!.step);
    try {
      return newModel(gpu, vae, quantizer, options);
    } catch (error) {
      vae[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Saves a step: model and training state together, whole or not at all.
   *
   * @param digests What tells the run's files from others.
   * @param keep How many checkpoints stay.
   * @throws {RunError} where the weights are not finite or there is no room; what was saved before stays.
   */
  async save(adaptation: Adaptation, digests: Digests, keep: number): Promise<void> {
    const model = await Promise.all(
      modelParts(adaptation).map(({ prefix, parameters }) => stored(prefix, parameters)),
    );
    const state = await Promise.all(
      adaptation.state.map(({ prefix, parameters }) => stored(prefix, parameters)),
    );
    const step = String(adaptation.step);
    for (const tensor of state.flat()) this.#expectFinite(tensor, step);
    await this.#write(adaptation.step, async (folder) => {
      const metadata = { ...digests, step };
      await writeSafetensors(`${folder}/${MODEL}`, model.flat(), { metadata: { step } });
      await writeSafetensors(`${folder}/${TRAINING}`, state.flat(), { metadata });
      await this.#writeConfig(folder);
    });
    await this.#checkpoints.prune(keep, this.#best?.step);
  }

  /**
   * Brings an adaptation to where the run was saved, and drops what was written after that.
   *
   * @param digests Those of the files that are given now.
   * @throws {RunError} where they are others than the run began with.
   * @throws {CheckpointError} where the state is unsound.
   */
  async restore(adaptation: Adaptation, digests: Digests): Promise<void> {
    const step = this.#saved!.step;
    using file = await SafetensorsFile.open(this.#checkpoints.file(step, TRAINING));
    for (const [what, digest] of Object.entries(digests)) {
      if (file.metadata[what] === digest) continue;
      throw new RunError(
        this.path,
        `the ${what} are not those that the run began with: give it the same files, ` +
          "or begin another run",
      );
    }
    for (const { prefix, parameters } of adaptation.state) {
      await parameters.load(prefixed(file, prefix));
    }
    adaptation.resume(step);
    if (this.options.task === "vae") await this.#forgetScaling();
    await this.#checkpoints.dropAfter(step);
    await this.log.truncate(step);
    await this.#publish(step);
    const best = await this.log.best();
    if (best) await this.markBest(best);
  }

  /** Drops what a start logged that ended before its first save. */
  async beginAnew(): Promise<void> {
    await this.#checkpoints.dropAfter(0);
    await this.log.truncate(0);
  }

  /** The best evaluation so far. */
  get best(): Evaluation | undefined {
    return this.#best;
  }

  /** Makes the checkpoint of an evaluation the best one: it stays, and its model is that of `best`. */
  async markBest(evaluation: Evaluation): Promise<void> {
    const model = this.#checkpoints.file(evaluation.step, MODEL);
    this.#best = evaluation;
    if (!(await this.#checkpoints.steps()).includes(evaluation.step)) return; // it was not kept
    await makeFolder(`${this.path}/best`);
    await this.#writeConfig(`${this.path}/best`);
    await linkFileAtomic(model, `${this.path}/best/${MODEL}`);
  }

  async #write(step: number, fill: (folder: string) => Promise<void>): Promise<void> {
    try {
      await this.#checkpoints.save(step, fill);
      await this.#publish(step);
    } catch (error) {
      throw error instanceof WriteError ? unsaved(this, step, error) : error;
    }
    this.#saved = { step, faults: [] };
  }

  /**
   * Writes what is known of the latent's scale and shift only when the run is done, into its config.json,
   * that of its last checkpoint, and, measured on its own weights, that of the best.
   *
   * @param measure Undefined where it was ended early: then no more is written.
   * @returns Whether all of it is written.
   */
  async settleScaling(
    gpu: Gpu,
    measure: (vae: AutoencoderKL) => Promise<Scaling | undefined>,
  ): Promise<boolean> {
    const last = this.#saved!.step;
    const best = this.#best?.step;
    const kept = await this.#checkpoints.steps();
    for (const step of new Set([best, last])) {
      if (step === undefined || !kept.includes(step)) continue;
      using vae = await this.#loadVae(gpu, step);
      const scaling = await measure(vae);
      if (!scaling) return false;
      this.#config = { ...this.#config, vae: vaeConfigToJson({ ...vae.config, ...scaling }) };
      await this.#writeConfig(this.#checkpoints.folder(step));
      if (step === best) await this.#writeConfig(`${this.path}/best`);
    }
    await this.#writeConfig(this.path); // the last one's
    return true;
  }

  /** What was measured at an end is of other weights where the run goes on from before it. */
  async #forgetScaling(): Promise<void> {
    const vae = unmeasured(configPart(this.config, "vae", `${this.path}/config.json`));
    this.#config = { ...this.#config, vae };
    await this.#writeConfig(this.path);
  }

  /** Makes the model of a step that of the run. */
  async #publish(step: number): Promise<void> {
    await linkFileAtomic(this.#checkpoints.file(step, MODEL), `${this.path}/${MODEL}`);
  }

  async #writeConfig(folder: string): Promise<void> {
    const text = `${JSON.stringify(this.config, undefined, 2)}\n`;
    await writeFileAtomic(`${folder}/config.json`, text);
  }

  /** The continuous VAE of a step, without the adapters. */
  async #loadVae(gpu: Gpu, step: number): Promise<AutoencoderKL> {
    using file = await SafetensorsFile.open(this.#checkpoints.file(step, MODEL));
    const weights = prefixed(file, "vae.");
    const configFile = `${this.path}/config.json`;
    const json = configPart(this.config, "vae", configFile);
    const config = readVaeConfig(json, configFile, weights, isUnmeasured(json) ? UNSCALED : {});
    return await AutoencoderKL.load(gpu, config, weights);
  }

  #expectFinite({ name, data }: TensorToStore, step: string): void {
    const { length } = data;
    for (let i = 0; i < length; i++) {
      if (!Number.isFinite(Number(data[i]))) throw divergence(this, `${name} after step ${step}`);
    }
  }
}

/** The config.json of a run: what resuming needs, and the losses that it has, with those it has not. */
export function runConfig(
  { vae, quantizer, lora, options }: RunModel,
  { perceptual, discriminator, missing }: RunCritics,
): Config {
  const recipe = recipeOf(options);
  const vaeJson = vaeConfigToJson(vae.config);
  return {
    vae: options.task === "vae" ? unmeasured(vaeJson) : vaeJson,
    ...quantizer && { quantizer: quantizerConfigToJson(quantizer.config) },
    ...lora && { lora: { rank: lora.rank, targets: lora.targets } },
    losses: {
      l1: recipe.l1Weight,
      l2: recipe.l2Weight,
      ...perceptual && { [perceptual.name]: recipe.perceptualWeight },
      ...discriminator && { g: recipe.discWeight },
      ...quantizer ? { vq: 1 } : { kl: recipe.klWeight },
      ...quantizer && (quantizer.config.kind ?? "coda") === "coda" &&
        { entropy: recipe.entropyWeight },
      off: missing,
    },
    training: { ...options, patchSizes: quantizer?.config.patchSizes },
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
