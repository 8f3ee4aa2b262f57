import { basename } from "@std/path";
import { Batches, type ImageError, ImageFolder } from "../data/mod.ts";
import type { Gpu } from "../gpu/mod.ts";
import { tune } from "../ops/mod.ts";
import { CodeCounts } from "../quantizer/mod.ts";
import { fromArray } from "../tensor/mod.ts";
import { Adaptation } from "./adaptation.ts";
import { LatentCache } from "./latents.ts";
import {
  type AdaptOptions,
  recipeOf,
  type ResolvedOptions,
  resolveOptions,
  resumedOptions,
} from "./options.ts";
import { Pace } from "./pace.ts";
import { ProgressMeter, type StepInfo, type TrainingProgress } from "./progress.ts";
import { divergence, runConfig, RunFolder } from "./run_folder.ts";
import { beginModel, type RunModel } from "./run_model.ts";
import type { StepResult } from "./step_result.ts";

/** What a run tells, and what stops it. */
export interface AdaptHooks {
  /** Stops the run after the step under way; it is saved and can be resumed. */
  signal?: AbortSignal;
  /** Hears a report every `logEvery` steps and at the end. */
  onProgress?: (progress: TrainingProgress) => void;
  /** Hears of each step that was sent to the GPU. */
  onStep?: (step: number, total: number) => void;
  /** Hears how many crops of the warm-up are encoded. */
  onEncode?: (done: number, count: number) => void;
  /** Hears once of each image that cannot be used. */
  onSkip?: (file: string, error: ImageError) => void;
}

/** How a run ended. */
export interface AdaptResult {
  /** How many steps are done. */
  readonly step: number;
  /** How many there are in all. */
  readonly total: number;
  /** Whether it was stopped before its end. */
  readonly stopped: boolean;
}

/**
 * Adapts a continuous VAE to discrete tokens on photographs (arXiv 2503.17760) and leaves a run folder
 * that {@link Tokenizer.load} reads.
 *
 * @param out The run's folder: new, empty, or that of a run that ended before its first save.
 * @throws {OptionError} where an option is out of range or does not fit the VAE.
 * @throws {CheckpointError} where the VAE cannot be read.
 * @throws {ImageError} where no image can be used.
 * @throws {RunError} where the folder holds anything else, or the run diverges.
 * @throws {WriteError} where the folder cannot be written.
 *
 * @example
 * ```ts
 * import { adapt, Gpu, saveImage } from "@coda/tokenizer";
 *
 * const folder = await Deno.makeTempDir(); // photographs, in earnest
 * await saveImage(`${folder}/a.png`, { width: 18, height: 18, data: new Uint8Array(972) });
 *
 * using gpu = await Gpu.create();
 * const options = { vae: "models/tiny-kl-f8", images: [folder], steps: 1, batch: 1 };
 * const small = { imageSize: 16, codebookSize: 32, rank: 2 };
 * const { step } = await adapt(gpu, `${folder}/run`, { ...options, ...small }, {
 *   signal: AbortSignal.timeout(60_000),
 *   onProgress: ({ losses }) => console.assert(losses.total > 0),
 * });
 * console.assert(step === 1);
 * ```
 */
export async function adapt(
  gpu: Gpu,
  out: string,
  options: AdaptOptions,
  hooks: AdaptHooks = {},
): Promise<AdaptResult> {
  using model = await beginModel(gpu, resolveOptions(options), options);
  const images = await openImages(model.options, hooks);
  const begin = async () => await RunFolder.create(out, runConfig(model));
  return await perform({ gpu, model, images, hooks }, begin);
}

/**
 * Continues a run where it was saved; it ends with the very weights that an unbroken run ends with.
 *
 * @param out The run's folder.
 * @param changes Options given anew; one that would make it another run is an error.
 * @throws {OptionError} where a changed option would make it another run.
 * @throws {CheckpointError} where there is no run, or its files are unsound.
 * @throws {RunError} where the images are others, or the run diverges.
 *
 * @example
 * ```ts
 * import { CheckpointError, Gpu, resumeAdapt } from "@coda/tokenizer";
 *
 * using gpu = await Gpu.create();
 * try {
 *   await resumeAdapt(gpu, "a-run-that-was-stopped");
 * } catch (error) {
 *   console.assert(error instanceof CheckpointError); // here there is none
 * }
 * ```
 */
export async function resumeAdapt(
  gpu: Gpu,
  out: string,
  changes: Partial<AdaptOptions> = {},
  hooks: AdaptHooks = {},
): Promise<AdaptResult> {
  const folder = await RunFolder.open(out);
  const options = resumedOptions(folder.options, changes);
  using model = await folder.isSaved()
    ? await folder.model(gpu, options)
    : await beginModel(gpu, options, options);
  const images = await openImages(options, hooks);
  const begin = () => Promise.resolve(folder);
  return await perform({ gpu, model, images, hooks }, begin);
}

/** What a run is made of. */
interface RunParts {
  gpu: Gpu;
  model: RunModel;
  images: ImageFolder;
  hooks: AdaptHooks;
}

/** The recipe's augmentation: short side to 288 for crops of 256, in proportion for others. */
async function openImages(
  { images, imageSize, seed }: ResolvedOptions,
  { onSkip }: AdaptHooks,
): Promise<ImageFolder> {
  const shortSide = Math.round((imageSize * 288) / 256);
  return await ImageFolder.open(images, { size: imageSize, shortSide, seed, onSkip });
}

async function perform(parts: RunParts, begin: () => Promise<RunFolder>): Promise<AdaptResult> {
  const { gpu, model, images, hooks } = parts;
  const { options } = model;
  await tune(gpu);
  using adaptation = new Adaptation(model, recipeOf(options));
  await images.sample(0); // where no image can be used, that is said before anything is written
  const folder = await begin();
  const digest = await digestOf(images.files);
  if (await folder.isSaved()) await folder.restore(adaptation, digest);
  return await new Run({ gpu, adaptation, folder, images, digest, options, hooks }).finish();
}

/**
 * Names and sizes of the run's images, as one hash: the order of samples hangs on the first, and an
 * image that was changed shows in the second.
 */
async function digestOf(files: readonly string[]): Promise<string> {
  const lines = await Promise.all(
    files.map(async (file) => `${basename(file)} ${(await Deno.stat(file)).size}`),
  );
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(lines.join("\n")));
  return new Uint8Array(hash).toHex();
}

/** What the loop works on. */
interface LoopParts {
  gpu: Gpu;
  adaptation: Adaptation;
  folder: RunFolder;
  images: ImageFolder;
  digest: string;
  options: ResolvedOptions;
  hooks: AdaptHooks;
}

/** The loop over the steps that are left. */
class Run {
  #parts: LoopParts;
  #meter = new ProgressMeter();
  #counts: CodeCounts;
  #pace: Pace;
  #reported: Promise<void> = Promise.resolve();
  #cache: LatentCache | undefined;
  #saved: number;
  #images = 0;

  constructor(parts: LoopParts) {
    this.#parts = parts;
    const { codebookSize, patchSizes } = parts.adaptation.model.quantizer?.config ??
      { codebookSize: 1, patchSizes: [] };
    this.#counts = new CodeCounts(parts.gpu, { scales: patchSizes.length, codebookSize });
    this.#pace = new Pace(parts.gpu, () => this.#expectSound());
    this.#saved = parts.adaptation.step;
  }

  /** Takes the steps, saves, and says how it ended. */
  async finish(): Promise<AdaptResult> {
    const { adaptation, images, options: { batch, saveEvery }, hooks } = this.#parts;
    await using batches = new Batches(images, { batchSize: batch });
    using counts = this.#counts;
    while (adaptation.step < adaptation.total && !hooks.signal?.aborted) {
      const info = this.#nextInfo();
      using result = await this.#takeStep(batches);
      if (!result) break;
      counts.add(result.indices);
      hooks.onStep?.(info.step, info.total);
      if (this.#isDue(info.step)) await this.#report(info, result);
      if (info.step % saveEvery === 0) await this.#save();
      await this.#pace.next();
    }
    await this.#save();
    return {
      step: adaptation.step,
      total: adaptation.total,
      stopped: adaptation.step < adaptation.total,
    };
  }

  #nextInfo(): StepInfo {
    const { step, total, phase, lr } = this.#parts.adaptation;
    return { step: step + 1, total, phase, lr };
  }

  #isDue(step: number): boolean {
    const { adaptation, options } = this.#parts;
    return step % options.logEvery === 0 || step === adaptation.total;
  }

  /** Undefined where the signal ended it before the step began. */
  async #takeStep(batches: Batches): Promise<StepResult | undefined> {
    const { adaptation } = this.#parts;
    return adaptation.phase === "warmup"
      ? await this.#warmupStep()
      : await this.#jointStep(batches);
  }

  async #warmupStep(): Promise<StepResult | undefined> {
    const { adaptation, options: { seed, warmupBatch: batch } } = this.#parts;
    this.#cache ??= await this.#fillCache();
    if (!this.#cache) return undefined;
    this.#images += batch;
    const { samplePosterior } = adaptation.recipe;
    using latents = this.#cache.batch({ seed, step: adaptation.step, batch, samplePosterior });
    return adaptation.warmupStep(latents);
  }

  async #jointStep(batches: Batches): Promise<StepResult> {
    const { gpu, adaptation, options: { batch, imageSize } } = this.#parts;
    this.#cache = undefined;
    const { images } = await batches.next(adaptation.step - adaptation.recipe.warmupSteps);
    this.#images += batch;
    using input = fromArray(gpu, images, [batch, imageSize, imageSize, 3]);
    return adaptation.jointStep(input);
  }

  async #fillCache(): Promise<LatentCache | undefined> {
    const { adaptation, images, options, hooks: { signal, onEncode } } = this.#parts;
    const { batch, imageSize, warmupBatch, warmupCrops, warmupSteps } = options;
    const count = Math.min(warmupSteps * warmupBatch, images.files.length * warmupCrops);
    await using batches = new Batches(images, { batchSize: batch });
    const cache = await LatentCache.fill(adaptation.model.vae, batches, {
      count,
      batch,
      imageSize,
      signal,
      onProgress: onEncode,
    });
    this.#meter.restart();
    return cache;
  }

  /** Reads a step's result while the next ones run; waits only for the report before. */
  async #report(info: StepInfo, result: StepResult): Promise<void> {
    const read = Promise.all([result.read(), this.#counts.take()]);
    const images = this.#images;
    await this.#reported;
    this.#reported = read.then(async ([{ numbers }, counts]) => {
      const progress = this.#meter.report(info, { numbers, counts, images });
      await this.#parts.folder.metrics.append(progress);
      this.#parts.hooks.onProgress?.(progress);
    });
    this.#reported.catch(() => {}); // whoever waits for it hears of the failure
  }

  /** Refuses to go on from a step that had a number that is not finite. */
  async #expectSound(): Promise<void> {
    const { adaptation, folder } = this.#parts;
    const fault = await adaptation.fault();
    if (fault) throw divergence(folder.path, `${fault.what} in step ${fault.step}`);
  }

  async #save(): Promise<void> {
    const { adaptation, folder, digest } = this.#parts;
    await this.#expectSound();
    await this.#reported;
    if (this.#saved === adaptation.step) return;
    await folder.save(adaptation, digest);
    this.#saved = adaptation.step;
  }
}
