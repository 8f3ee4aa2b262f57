import type { ImageFolder } from "../data/mod.ts";
import type { Gpu } from "../gpu/mod.ts";
import { tune } from "../ops/mod.ts";
import type { AutoencoderKL } from "../vae/mod.ts";
import { Adaptation } from "./adaptation.ts";
import type { AdaptHooks, AdaptResult } from "./hooks.ts";
import { loadCritics, type RunCritics } from "./load_critics.ts";
import {
  type AdaptOptions,
  recipeOf,
  type ResolvedOptions,
  resolveOptions,
  resumedOptions,
} from "./options.ts";
import { latentScaling } from "./latent_scaling.ts";
import { planRun, type Settled } from "./plan_run.ts";
import { runConfig, RunFolder } from "./run_folder.ts";
import { digestsOf, openImages } from "./run_images.ts";
import { RunLoop } from "./run_loop.ts";
import { RunViews } from "./run_views.ts";
import { beginModel, type RunModel } from "./run_model.ts";
import type { StepPlan } from "./step_plan.ts";

/**
 * Adapts a continuous VAE to discrete tokens on photographs (arXiv 2503.17760) and leaves a run folder
 * that {@link Tokenizer.load} reads.
 *
 * @param out The run's folder: new, empty, or that of a run that ended before its first save.
 * @throws {OptionError} where an option is out of range or does not fit the VAE.
 * @throws {CheckpointError} where the VAE or another network cannot be read.
 * @throws {ImageError} where no image can be used.
 * @throws {RunError} where the folder holds anything else, another process writes it, or the run diverges.
 * @throws {WriteError} where the folder cannot be written.
 * @throws {OutOfMemoryError} where no step fits the device's {@link GpuOptions.memoryBytes}.
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
  const { accumulate, checkpointing } = options;
  const begin = async (critics: RunCritics, options: ResolvedOptions) =>
    await RunFolder.create(out, runConfig({ ...model, options }, critics));
  return await perform({
    gpu,
    model,
    images,
    hooks,
    settled: { accumulate, checkpointing },
  }, begin);
}

/**
 * Continues a run where it was saved; it ends with the very weights that an unbroken run ends with.
 *
 * @param out The run's folder.
 * @param changes Options given anew; one that would make it another run is an error.
 * @throws {OptionError} where a changed option would make it another run.
 * @throws {CheckpointError} where there is no run, or its files are unsound.
 * @throws {RunError} where the images, held out or not, are others, the run diverges, or another process
 * writes it.
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
  using folder = await RunFolder.open(out);
  for (const fault of folder.faults) {
    hooks.onNotice?.(`${fault}; the run goes on from step ${folder.savedStep}`);
  }
  const options = resumedOptions(folder.options, changes);
  using model = folder.savedStep !== undefined
    ? await folder.model(gpu, options)
    : await beginModel(gpu, options, options);
  const images = await openImages(options, hooks);
  const settled = { accumulate: options.accumulate, checkpointing: changes.checkpointing };
  const begin = () => Promise.resolve(folder);
  return await perform({ gpu, model, images, hooks, settled }, begin);
}

/** What a run is made of. */
interface RunParts {
  gpu: Gpu;
  model: RunModel;
  images: ImageFolder;
  hooks: AdaptHooks;
  settled: Settled;
}

async function perform(
  parts: RunParts,
  begin: (critics: RunCritics, options: ResolvedOptions) => Promise<RunFolder>,
): Promise<AdaptResult> {
  const { gpu, model, images, hooks, settled } = parts;
  await tune(gpu);
  using critics = await loadCritics(gpu, model.options, hooks.onNotice);
  using adaptation = new Adaptation(model, recipeOf(model.options), critics);
  await images.sample(0); // where no image can be used, that is said before anything is written
  const plan = planRun(gpu, adaptation, model.options, settled);
  if (plan) hooks.onPlan?.(plan);
  const options = { ...model.options, ...plan && chosen(plan) };
  const views = await RunViews.open(options, images.files, hooks);
  using folder = await begin(critics, options);
  for (const text of critics.missing) hooks.onNotice?.(text);
  const digests = await digestsOf({ images: images.files, heldOut: views.heldOut }, options);
  if (folder.savedStep === undefined) await folder.beginAnew();
  else await folder.restore(adaptation, digests);
  const loop = new RunLoop({ gpu, adaptation, folder, images, views, digests, options, hooks });
  const result = await loop.finish();
  if (options.task !== "vae" || result.stopped) return result;
  const { signal } = hooks;
  const measure = (vae: AutoencoderKL) => latentScaling(vae, images, { ...options, signal });
  return { ...result, stopped: !await folder.settleScaling(gpu, measure) };
}

/** What of a plan are options of the run. */
function chosen({ batch, accumulate, checkpointing }: StepPlan): Partial<ResolvedOptions> {
  return { batch, accumulate, checkpointing };
}
