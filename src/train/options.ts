import {
  PATCH_SIZES_F16,
  PATCH_SIZES_F8,
  QUANTIZER_KINDS,
  type QuantizerKind,
} from "../quantizer/mod.ts";
import { OptionError } from "./errors.ts";
import type { Recipe } from "./recipe.ts";
import { defaultRecipe } from "./recipe.ts";

/** What is trained: see {@link AdaptOptions.task}. */
export type RunTask = "adapt" | "vqgan" | "vae";

const TASKS: readonly RunTask[] = ["adapt", "vqgan", "vae"];

/** What a run can be told; what is left out has the default given. */
export interface AdaptOptions {
  /**
   * What is trained. "adapt", the default: a quantizer, and LoRA in a continuous VAE. "vqgan": an
   * autoencoder from scratch with a quantizer of kind "nearest". "vae": a continuous VAE from scratch. Of
   * the options about a VAE that is there, its adapters and the warm-up, only the first has use.
   */
  task?: RunTask;
  /** The continuous VAE: whatever {@link loadVae} reads; the embedded tiny-kl-f8. */
  vae?: string;
  /**
   * A tokenizer to go on from instead of a VAE: whatever {@link Tokenizer.load} reads. Its codebook,
   * scales, and adapters, where they are not fused, are trained further.
   */
  from?: string;
  /** The scale of its latent; what its files or its family say. */
  scale?: number;
  /** The shift of its latent; what its files or its family say. */
  shift?: number;
  /**
   * How an autoencoder from scratch is built: the name of one of {@link VAE_FAMILIES}, or a config.json
   * in diffusers' field names or a folder with one; as the embedded tiny-kl-f8.
   */
  architecture?: string;
  /** Image files and folders of them. */
  images: readonly string[];
  /** Steps of quantizer and LoRA together. */
  steps: number;
  /** Steps of the quantizer alone on cached latents, before; 0. */
  warmupSteps?: number;
  /** Images in a joint step, or in each batch that `accumulate` adds up; 8. */
  batch?: number;
  /** Latents in a step of the warm-up; 16. */
  warmupBatch?: number;
  /** Crops of each image that are encoded for the warm-up, as far as 1 GiB holds them; 2. */
  warmupCrops?: number;
  /** Side of the square crops in pixels, a multiple of the VAE's reduction; 256. */
  imageSize?: number;
  /** Which quantizer is trained; "coda". */
  quantizer?: QuantizerKind;
  /** V, how many codes there are; 16384. */
  codebookSize?: number;
  /**
   * The sides of the scales' grids, coarse to fine; those of the VAE's reduction, 16 or 8. One of kind
   * "nearest" has the last alone.
   */
  patchSizes?: readonly number[];
  /** The rank of LoRA; 32. With 0 there is none, and the VAE stays as it is. */
  rank?: number;
  /** Substrings of the names of the convolutions to adapt; conv1, conv2, upsample, downsample. */
  targets?: readonly string[];
  /**
   * Batches whose gradients make one joint step, one after another in the memory of one; 1. On a device
   * with a limit to its memory, {@link GpuOptions.memoryBytes}, the images of a step are by default cut
   * into as many batches as that takes.
   */
  accumulate?: number;
  /**
   * Whether a step computes the VAE's activations again for the gradients instead of keeping them: less
   * memory, the same bits, one more pass forward; false.
   */
  checkpointing?: boolean;
  /**
   * Whether the autoencoder keeps what its backward pass reads in f16: less memory, and gradients that
   * differ by rounding; false.
   */
  halfActivations?: boolean;
  /**
   * How the perceptual loss sees: as LPIPS, by the weights that `vgg` and `lpips` name, or by ResNet-50's
   * features, which are fetched from npm; LPIPS where its weights are named, else there is no such loss.
   */
  perceptual?: "lpips" | "resnet50";
  /** VGG16's features with torchvision's keys, for LPIPS: a weight file, or one on a hub. */
  vgg?: string;
  /** LPIPS's weights of VGG16's channels, `vgg.pth`: a weight file, or one on a hub. */
  lpips?: string;
  /**
   * The discriminator's transformer, `dino_deitsmall16_pretrain.pth`: a weight file, or one on a hub.
   * Without it there is no adversarial loss.
   */
  dino?: string;
  /** The weight of the adversarial loss beside its adaptive one and the ramp; 1. */
  discWeight?: number;
  /** The learning rate; 5e-4. */
  lr?: number;
  /** The learning rate of the warm-up; that of the rest. */
  warmupLr?: number;
  /** Decides first values, order, crops and noise; 0. */
  seed?: number;
  /** Steps from one save to the next; 200. */
  saveEvery?: number;
  /** How many of the newest checkpoints stay; 2. */
  keep?: number;
  /** Steps from one report to the next; 10. */
  logEvery?: number;
  /** Steps from one picture of reconstructions to the next; 200, and 0 is none. */
  sampleEvery?: number;
  /** Images, or a folder of them, that are evaluated and not trained on; a resumed run has the same. */
  heldout?: string;
  /** How many of them are evaluated, evenly spread; 64. */
  evalImages?: number;
  /** Steps from one evaluation of them to the next; 1000. */
  evalEvery?: number;
}

/** The options that may stay without a value. */
export type UnsetOption =
  | "vae"
  | "from"
  | "scale"
  | "shift"
  | "architecture"
  | "patchSizes"
  | "perceptual"
  | "vgg"
  | "lpips"
  | "dino"
  | "warmupLr"
  | "heldout";

/** Options with every default filled in; `patchSizes` stays open until the VAE is known. */
export type ResolvedOptions =
  & Required<
    Omit<AdaptOptions, UnsetOption>
  >
  & {
    /** The VAE, where it is not the embedded one. */
    vae: string | undefined;
    /** The tokenizer that the run goes on from, where it does. */
    from: string | undefined;
    /** The scale of its latent, where it was given. */
    scale: number | undefined;
    /** The shift of its latent, where it was given. */
    shift: number | undefined;
    /** How an autoencoder from scratch is built, where it was given. */
    architecture: string | undefined;
    /** The sides of the scales' grids, where they were given. */
    patchSizes: readonly number[] | undefined;
    /** How the perceptual loss sees, where that was said. */
    perceptual: AdaptOptions["perceptual"];
    /** VGG16's features, where there are any. */
    vgg: string | undefined;
    /** LPIPS's weights, where there are any. */
    lpips: string | undefined;
    /** The discriminator's transformer, where there is one. */
    dino: string | undefined;
    /** The learning rate of the warm-up, where it has its own. */
    warmupLr: number | undefined;
    /** The images that are evaluated, where there are any. */
    heldout: string | undefined;
  };

/** The options that a resumed run may have otherwise than it began: they do not change its result. */
const FREE: readonly string[] = [
  "images",
  "checkpointing",
  "saveEvery",
  "keep",
  "logEvery",
  "sampleEvery",
  "evalEvery",
];

/** Files that may have moved meanwhile: a run sees to it that they are those that it began with. */
const MOVABLE: readonly string[] = ["vgg", "lpips", "dino", "heldout"];

/** The shortest side of an image that VGG16 takes. */
const LEAST_FOR_VGG = 16;

const COUNTS = [
  "batch",
  "warmupBatch",
  "warmupCrops",
  "imageSize",
  "codebookSize",
  "accumulate",
  "saveEvery",
  "keep",
  "logEvery",
  "evalImages",
  "evalEvery",
] as const;

/**
 * Fills in the defaults and checks every value.
 *
 * @throws {OptionError} where a value is out of range, or there is no step to take.
 */
export function resolveOptions(options: AdaptOptions): ResolvedOptions {
  const resolved = withDefaults(options);
  for (const name of COUNTS) expectWhole(name, resolved[name], 1);
  for (const name of ["steps", "warmupSteps", "rank", "seed", "sampleEvery"] as const) {
    expectWhole(name, resolved[name], 0);
  }
  expectOneOf("task", resolved.task, TASKS);
  expectOneOf("quantizer", resolved.quantizer, QUANTIZER_KINDS);
  expectTask(resolved);
  if (resolved.steps + resolved.warmupSteps === 0) {
    throw new OptionError("steps", "is 0, as is warmupSteps: there is nothing to do");
  }
  for (const name of ["lr", "warmupLr"] as const) {
    const rate = resolved[name] ?? resolved.lr;
    if (rate > 0 && rate < Infinity) continue;
    throw new OptionError(name, `is ${rate}, expected a number above 0`);
  }
  expectCritics(resolved);
  return resolved;
}

/** The options with every default that none of them settles otherwise. */
function withDefaults(options: AdaptOptions): ResolvedOptions {
  return {
    task: "adapt",
    vae: undefined,
    from: undefined,
    scale: undefined,
    shift: undefined,
    architecture: undefined,
    warmupSteps: 0,
    batch: 8,
    warmupBatch: 16,
    warmupCrops: 2,
    imageSize: 256,
    quantizer: options.task === "vqgan" ? "nearest" : "coda",
    codebookSize: 16384,
    patchSizes: undefined,
    rank: 32,
    targets: ["conv1", "conv2", "upsample", "downsample"],
    accumulate: 1,
    checkpointing: false,
    halfActivations: false,
    perceptual: undefined,
    vgg: undefined,
    lpips: undefined,
    dino: undefined,
    discWeight: 1,
    lr: 5e-4,
    warmupLr: undefined,
    seed: 0,
    saveEvery: 200,
    keep: 2,
    logEvery: 10,
    sampleEvery: 200,
    heldout: undefined,
    evalImages: 64,
    evalEvery: 1000,
    ...given(options),
  };
}

/** The recipe of a run: the paper's where no option says otherwise; VQGAN's latent is no sample. */
export function recipeOf(options: ResolvedOptions): Recipe {
  const { task, steps, warmupSteps, lr, warmupLr, discWeight, seed, halfActivations } = options;
  const samplePosterior = task !== "vqgan";
  const own = { warmupSteps, lr, warmupLr, discWeight, seed, halfActivations };
  return { ...defaultRecipe(steps), ...own, samplePosterior };
}

/** Files of the same network come together, and of two networks one is chosen. */
function expectCritics(
  { task, rank, perceptual, vgg, lpips, dino, discWeight, imageSize }: ResolvedOptions,
): void {
  if (vgg !== undefined && lpips === undefined) {
    throw new OptionError(
      "vgg",
      "needs the option lpips beside it: LPIPS's weights of its channels",
    );
  }
  if (lpips !== undefined && vgg === undefined) {
    throw new OptionError("lpips", "needs the option vgg beside it: VGG16's features");
  }
  const known = perceptual === undefined || perceptual === "lpips" || perceptual === "resnet50";
  if (!known || (perceptual === "lpips" && lpips === undefined)) {
    const expected = known ? "the options vgg and lpips beside it" : "lpips or resnet50";
    throw new OptionError("perceptual", `is ${perceptual}, expected ${expected}`);
  }
  if (perceptual === "resnet50" && lpips !== undefined) {
    throw new OptionError("perceptual", "is resnet50: leave out the options vgg and lpips");
  }
  if (lpips !== undefined && imageSize < LEAST_FOR_VGG) {
    throw new OptionError("imageSize", `is ${imageSize}, but VGG16 needs ${LEAST_FOR_VGG} pixels`);
  }
  if (dino !== undefined && task === "adapt" && rank === 0) {
    throw new OptionError("dino", "is of no use where the decoder stays as it is, as with rank 0");
  }
  if (discWeight >= 0 && discWeight < Infinity) return;
  throw new OptionError("discWeight", `is ${discWeight}, expected a number from 0 up`);
}

/** The scales of the published tokenizers of this reduction; those of f8 for any other. */
export function defaultPatchSizes(reduction: number): readonly number[] {
  return reduction === 16 ? PATCH_SIZES_F16 : PATCH_SIZES_F8;
}

/**
 * The options of a resumed run: those it began with, and the changes that leave its result as it is.
 *
 * @throws {OptionError} where a change would make it another run.
 */
export function resumedOptions(
  before: ResolvedOptions,
  changes: Partial<AdaptOptions>,
): ResolvedOptions {
  const changed = given(changes);
  if (isPlanned(before, changed)) delete changed.batch;
  for (const [name, value] of Object.entries(changed)) {
    const old = before[name as keyof AdaptOptions];
    if (MOVABLE.includes(name) && old !== undefined) continue;
    if (FREE.includes(name) || JSON.stringify(old) === JSON.stringify(value)) continue;
    const began = `the run began with ${old ?? "the default"}`;
    const advice = name === "task" ? "resume it as that" : "leave it out";
    throw new OptionError(name, `is ${value}, but ${began}: ${advice}, or begin another run`);
  }
  return resolveOptions({ ...before, ...changed });
}

/** Whether a step has the images that it is told to have, in batches that were planned. */
function isPlanned(
  before: ResolvedOptions,
  { batch, accumulate }: Partial<AdaptOptions>,
): boolean {
  return accumulate === undefined && batch === before.batch * before.accumulate;
}

/** The options that have a value. */
function given<T extends object>(options: T): T {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as T;
}

function expectWhole(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new OptionError(name, `is ${value}, expected a whole number from ${least} up`);
}

function expectOneOf(name: string, value: string, names: readonly string[]): void {
  if (names.includes(value)) return;
  throw new OptionError(name, `is ${JSON.stringify(value)}, expected one of ${names.join(", ")}`);
}

/** Refuses options of another task, of which nothing would come. */
function expectTask(options: ResolvedOptions): void {
  const { task, quantizer, warmupSteps, architecture } = options;
  if (task === "adapt") {
    if (architecture === undefined) return;
    throw new OptionError("architecture", "is of an autoencoder from scratch: give vae instead");
  }
  for (const name of ["vae", "from", "scale", "shift"] as const) {
    if (options[name] === undefined) continue;
    throw new OptionError(name, `is of a VAE that is there, and ${task} begins from scratch`);
  }
  if (warmupSteps > 0) {
    throw new OptionError("warmupSteps", "is of a VAE that stays as it is while it is warmed up");
  }
  if (task === "vqgan" && quantizer !== "nearest") {
    throw new OptionError("quantizer", `is ${quantizer}, but VQGAN's is nearest: leave it out`);
  }
}
