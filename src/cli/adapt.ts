/** `coda adapt`: a continuous VAE becomes a discrete tokenizer. */
import { QUANTIZER_KINDS } from "../quantizer/config.ts";
import { ADAPT_PRESET_NAMES } from "../train/preset_names.ts";
import { type Command, defineCommand } from "./command.ts";
import { UsageError } from "./errors.ts";
import { choiceFlag, numberFlag, stringFlag } from "./flags.ts";
import { SCALING_FLAGS } from "./model_flags.ts";
import {
  CODEBOOK_FLAG,
  FOLDER_FLAGS,
  LOSS_FLAGS,
  RUN_FLAGS,
  runFolder,
  runOptions,
} from "./run_flags.ts";

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

    With --memory a step is planned before it is run. Without --accumulate its images, those of
    --batch, are cut into as many batches as have to be: all have a share in the gradients, but the
    entropy loss and batch norms see one batch at a time, so a resumed run keeps its batches.

    The folder of --out then holds the tokenizer, for encode and decode's --model; its checkpoints,
    with --heldout also the best; and to look at, metrics.jsonl, samples, and event files for
    TensorBoard. Ctrl-C saves and exits; --resume continues, to the very weights
    of an unbroken run, with the options that the run began with.`,
  positionals: { name: "IMAGE|FOLDER", min: 0, max: Infinity },
  flags: {
    ...FOLDER_FLAGS,
    preset: choiceFlag(
      "options that go together: those of a published tokenizer, or of the built-in one",
      ADAPT_PRESET_NAMES,
      { value: "NAME" },
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
    warmupBatch: numberFlag("latents in a step of the warm-up; default 16", count),
    warmupCrops: numberFlag("crops of each image that the warm-up knows; default 2", count),
    quantizer: choiceFlag("which quantizer; default coda", QUANTIZER_KINDS, { value: "NAME" }),
    codebookSize: CODEBOOK_FLAG,
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
    warmupLr: numberFlag("learning rate of the warm-up; default that of --lr", { min: 0 }),
    ...LOSS_FLAGS,
    ...RUN_FLAGS,
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
      does: "the same on a card of 8 GB, slowly",
      type: "coda adapt photos --out run --preset mar-16384 --vae kl16.ckpt --memory 7GB",
    },
    {
      does: "all of the paper's losses",
      type: "coda adapt photos --out run --vgg vgg16.pth --lpips vgg.pth --dino dino.pth",
    },
    { does: "go on after Ctrl-C", type: "coda adapt --out run --resume" },
    { does: "use it", type: "coda encode photo.jpg --model run" },
  ],
  async run({ flags, args }) {
    const out = await runFolder("adapt", flags, args);
    const { patchSizes, targets, ...rest } = flags;
    const { runTraining } = await import("./work/adapt.ts");
    return await runTraining({
      command: "adapt",
      out,
      resume: flags.resume,
      memory: flags.memory,
      show: { json: flags.json, quiet: flags.quiet },
      given: {
        config: rest.config,
        preset: rest.preset,
        flags: {
          ...runOptions(flags, args),
          task: "adapt",
          vae: rest.vae,
          from: rest.from,
          scale: rest.scale,
          shift: rest.shift,
          warmupSteps: rest.warmupSteps,
          warmupBatch: rest.warmupBatch,
          warmupCrops: rest.warmupCrops,
          warmupLr: rest.warmupLr,
          quantizer: rest.quantizer,
          codebookSize: rest.codebookSize,
          patchSizes: patchSizes === undefined ? undefined : sizes(patchSizes),
          rank: rest.rank,
          targets: targets === undefined ? undefined : parts(targets),
        },
      },
    });
  },
});

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
