/** `coda train-vqgan` and `coda train-vae`: an autoencoder from scratch. */
import { expectFree } from "./adapt.ts";
import { type Command, type CommonFlags, defineCommand } from "./command.ts";
import { UsageError } from "./errors.ts";
import { booleanFlag, type FlagValues, numberFlag, stringFlag } from "./flags.ts";

const count = { integer: true, min: 1 };

/** The flags of both. */
const FLAGS = {
  out: stringFlag("folder of the run; new or empty without --resume", {
    short: "o",
    value: "DIR",
  }),
  resume: booleanFlag("continue the run in --out; images only where they have moved"),
  architecture: stringFlag(
    "how the autoencoder is built: a family as FLUX.1 or MAR KL-16, or a config.json in diffusers' " +
      "names (block_out_channels, layers_per_block, latent_channels, …) or a folder with one; " +
      "default as the built-in VAE",
    { value: "NAME|PATH" },
  ),
  config: stringFlag(
    "a TOML or JSON file of options, named as in the training part of a run's config.json; " +
      "flags go before it",
    { value: "FILE" },
  ),
  steps: numberFlag("steps; default 1000", count),
  batch: numberFlag("images in a step; default 8", count),
  size: numberFlag("side of the square crops in pixels; default 256", count),
  lr: numberFlag("learning rate; default 0.0005", { min: 0 }),
  seed: numberFlag("decides first values, order, crops and noise; default 0", {
    integer: true,
    min: 0,
  }),
  saveEvery: numberFlag("steps from one save to the next; default 200", count),
  keep: numberFlag("how many of the newest checkpoints stay; default 2", count),
  logEvery: numberFlag("steps from one report to the next; default 10", count),
  json: booleanFlag("print each report as a line of JSON"),
};

const POSITIONALS = { name: "IMAGE|FOLDER", min: 0, max: Infinity };

/** What either command is told. */
interface TrainInput {
  readonly flags: FlagValues<typeof FLAGS> & CommonFlags & { codebookSize?: number };
  readonly args: readonly string[];
}

async function train(task: "vqgan" | "vae", { flags, args }: TrainInput): Promise<number> {
  const command = `train-${task}`;
  const { out, resume, config, json, quiet, size: imageSize, lr } = flags;
  if (out === undefined) throw new UsageError(`${command} needs --out, the folder of the run`);
  if (args.length === 0 && !resume && config === undefined) {
    throw new UsageError(`${command} needs at least one IMAGE|FOLDER`);
  }
  if (lr === 0) throw new UsageError("--lr takes a number above 0; found 0");
  if (!resume) await expectFree(out);
  const { architecture, steps, batch, codebookSize, seed, saveEvery, keep, logEvery } = flags;
  const images = args.length > 0 ? args : undefined;
  const sizes = { steps, batch, imageSize, codebookSize, lr, seed, saveEvery, keep, logEvery };
  const { runTraining } = await import("./work/adapt.ts");
  return await runTraining({
    command,
    out,
    resume,
    show: { json, quiet },
    given: { config, preset: undefined, flags: { task, architecture, images, ...sizes } },
  });
}

/** The command that trains VQGAN. */
export const trainVqgan: Command = defineCommand({
  name: "train-vqgan",
  summary: "trains a VQGAN on photographs, to compare with",
  description: `
    Trains an autoencoder from scratch together with a nearest-neighbour codebook, as VQGAN does: what
    adapting a continuous VAE is compared with, in the same steps on the same photographs. The gradient
    passes the codebook as if it were copied; the commitment loss has the weight 0.25.

    The folder of --out then holds the tokenizer, for encode and decode's --model, and the run's state.
    Ctrl-C saves and exits; --resume continues, to the very weights of an unbroken run.`,
  positionals: POSITIONALS,
  flags: {
    ...FLAGS,
    codebookSize: numberFlag("how many codes there are; default 16384", {
      ...count,
      max: 2 ** 24, // a token file holds no more
    }),
  },
  examples: [
    {
      does: "a small one, built as the embedded VAE",
      type: "coda train-vqgan photos --out vqgan --size 128 --codebook-size 1024",
    },
    { does: "go on after Ctrl-C", type: "coda train-vqgan --out vqgan --resume" },
    { does: "use it", type: "coda encode photo.jpg --model vqgan" },
  ],
  run: async (input) => await train("vqgan", input),
});

/** The command that trains a continuous VAE. */
export const trainVae: Command = defineCommand({
  name: "train-vae",
  summary: "trains a continuous VAE on photographs, to adapt",
  description: `
    Trains a continuous VAE from scratch, for someone who has no checkpoint to adapt: the losses of its
    pixels, and the divergence of its latent from a normal distribution with the weight 1e-6.

    The folder of --out then holds the VAE, for adapt's --vae, and the run's state. When the run is
    done, its latent's scale and shift are measured and written into its config.json. Ctrl-C saves and
    exits; --resume continues, to the very weights of an unbroken run.`,
  positionals: POSITIONALS,
  flags: FLAGS,
  examples: [
    {
      does: "a small one, built as the embedded VAE",
      type: "coda train-vae photos --out vae --size 128 --batch 4 --steps 20000",
    },
    { does: "go on after Ctrl-C", type: "coda train-vae --out vae --resume" },
    { does: "adapt it", type: "coda adapt photos --out run --vae vae" },
  ],
  run: async (input) => await train("vae", input),
});
