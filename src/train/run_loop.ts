import { Batches, type ImageFolder } from "../data/mod.ts";
import type { Gpu } from "../gpu/mod.ts";
import { CodeCounts } from "../quantizer/mod.ts";
import { fromArray } from "../tensor/mod.ts";
import type { Adaptation } from "./adaptation.ts";
import { divergence, ended } from "./endings.ts";
import type { AdaptHooks, AdaptResult } from "./hooks.ts";
import { LatentCache } from "./latents.ts";
import type { ResolvedOptions } from "./options.ts";
import { Pace } from "./pace.ts";
import { ProgressMeter, type StepInfo } from "./progress.ts";
import type { RunFolder } from "./run_folder.ts";
import type { Digests } from "./run_images.ts";
import type { RunViews } from "./run_views.ts";
import type { StepResult } from "./step_result.ts";

/** What the loop works on. */
export interface LoopParts {
  gpu: Gpu;
  adaptation: Adaptation;
  folder: RunFolder;
  images: ImageFolder;
  views: RunViews;
  digests: Digests;
  options: ResolvedOptions;
  hooks: AdaptHooks;
}

/** The loop over the steps that are left. */
export class RunLoop {
  #parts: LoopParts;
  #meter = new ProgressMeter();
  #counts: CodeCounts;
  #pace: Pace;
  #reported: Promise<void> = Promise.resolve();
  #cache: LatentCache | undefined;
  #saved: number;
  #images = 0;
  #isCut = false;

  /** Takes no step yet. */
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
    const { adaptation, folder, images } = this.#parts;
    try {
      await this.#takeSteps();
    } catch (error) {
      await this.#reported.catch(() => {}); // nothing is written once the run has ended
      throw ended(folder, adaptation.step + 1, error);
    }
    const { step, total } = adaptation;
    return {
      step,
      total,
      stopped: step < total || this.#isCut,
      images: this.#images,
      skipped: images.skipped,
      best: folder.best,
    };
  }

  async #takeSteps(): Promise<void> {
    const { adaptation, images, options: { batch, saveEvery }, hooks } = this.#parts;
    if (adaptation.step > 0) await this.#look(); // at what a stop left out
    await using batches = new Batches(images, { batchSize: batch });
    using counts = this.#counts;
    while (adaptation.step < adaptation.total && !hooks.signal?.aborted) {
      const info = this.#nextInfo();
      using result = await this.#takeStep(batches);
      if (!result) break;
      counts.add(result.indices);
      hooks.onStep?.(info.step, info.total);
      if (this.#isDue(info.step)) await this.#report(info, result);
      await this.#look();
      if (info.step % saveEvery === 0) await this.#save();
      await this.#pace.next();
    }
    await this.#save();
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
    const { gpu, adaptation, options: { batch, accumulate, imageSize } } = this.#parts;
    this.#cache = undefined;
    const first = (adaptation.step - adaptation.recipe.warmupSteps) * accumulate;
    const read: Float32Array[] = [];
    for (let i = 0; i < accumulate; i++) read.push((await batches.next(first + i)).images);
    this.#images += batch * accumulate;
    using scope = gpu.scope();
    const shape = [batch, imageSize, imageSize, 3];
    const result = adaptation.jointStep(...read.map((images) => fromArray(gpu, images, shape)));
    for (const tensor of result.tensors) scope.keep(tensor);
    return result;
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
      await this.#parts.folder.log.report(progress);
      this.#parts.hooks.onProgress?.(progress);
    });
    this.#reported.catch(() => {}); // whoever waits for it hears of the failure
  }

  /** Looks, where it is time to, at what was learned so far; what is best is saved. */
  async #look(): Promise<void> {
    const { adaptation, folder, views, hooks } = this.#parts;
    if (!views.isDue(adaptation.step, adaptation.total)) return;
    await this.#expectSound();
    await this.#reported;
    const start = performance.now();
    const { log } = folder;
    const { evaluation, isCut } = await views.look(adaptation, { log, signal: hooks.signal });
    this.#isCut = isCut;
    if (evaluation) {
      const isBest = evaluation.psnr > (folder.best?.psnr ?? -Infinity);
      hooks.onEvaluation?.(evaluation, isBest);
      if (isBest) {
        await this.#save();
        await folder.markBest(evaluation);
      }
    }
    this.#meter.exclude(performance.now() - start);
  }

  /** Refuses to go on from a step that had a number that is not finite. */
  async #expectSound(): Promise<void> {
    const { adaptation, folder } = this.#parts;
    const fault = await adaptation.fault();
    if (fault) throw divergence(folder, `${fault.what} in step ${fault.step}`);
  }

  async #save(): Promise<void> {
    const { adaptation, folder, digests, options } = this.#parts;
    await this.#expectSound();
    await this.#reported;
    if (this.#saved === adaptation.step) return;
    await folder.save(adaptation, digests, options.keep);
    this.#saved = adaptation.step;
  }
}
