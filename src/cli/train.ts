/** `coda train-vqgan` and `coda train-vae`: an autoencoder from scratch. */
import { type Command, type CommonFlags, defineCommand } from "./command.ts";
import { type FlagValues, numberFlag, stringFlag } from "./flags.ts";
import {
  CODEBOOK_FLAG,
  FOLDER_FLAGS,
  LOSS_FLAGS,
  RUN_FLAGS,
  runFolder,
  runOptions,
} from "./run_flags.ts";

/** The flags of both. */
const FLAGS = {
  ...FOLDER_FLAGS,
  architecture: stringFlag(
    "how the autoencoder is built: a family as FLUX.1 or MAR KL-16, or a config.json in diffusers' " +
      "names (block_out_channels, layers_per_block, latent_channels, …) or a folder with one; " +
      "default as the built-in VAE",
    { value: "NAME|PATH" },
  ),
  steps: numberFlag("steps; default 1000", { integer: true, min: 1 }),
  ...LOSS_FLAGS,
  ...RUN_FLAGS,
};

const POSITIONALS = { name: "IMAGE|FOLDER", min: 0, max: Infinity };

/** What either command is told. */
interface TrainInput {
  readonly flags: FlagValues<typeof FLAGS> & CommonFlags & { codebookSize?: number };
  readonly args: readonly string[];
}

async function train(task: "vqgan" | "vae", { flags, args }: TrainInput): Promise<number> {
  const command = `train-${task}`;
  const out = await runFolder(command, flags, args);
  const { architecture, codebookSize, config, resume, json, quiet } = flags;
  const { runTraining } = await import("./work/adapt.ts");
  return await runTraining({
    command,
    out,
    resume,
    memory: flags.memory,
    show: { json, quiet },
    given: {
      config,
      preset: undefined,
      flags: { ...runOptions(flags, args), task, architecture, codebookSize },
    },
  });
}

/** The command that trains VQGAN. */
export const trainVqgan: Command = defineCommand({
  name: "train-vqgan",
  summary: "trains a VQGAN on photographs, to compare with",
  description: `
    Trains an autoencoder from scratch together with a nearest-neighbour codebook, as VQGAN does: what
    adapting a continuous VAE is compared with, in the same steps on the same photographs. The gradient
    passes the codebook as if it were copied; the commitment loss has the weight 0.25. The losses of
    images are those of adapt, the perceptual and adversarial ones where their files are given.

    The folder of --out then holds the tokenizer, for encode and decode's --model, and the run's state.
    Ctrl-C saves and exits; --resume continues, to the very weights of an unbroken run.`,
  positionals: POSITIONALS,
  flags: {
    ...FLAGS,
    codebookSize: CODEBOOK_FLAG,
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
    Trains a continuous VAE from scratch, for someone who has no checkpoint to adapt: the losses of
    images as adapt has them, the perceptual and adversarial ones where their files are given, and the
    divergence of its latent from a normal distribution with the weight 1e-6.

    The folder of --out then holds the VAE, for adapt's --vae, and the run's state. When the run is
    done, its latent's scale and shift are measured and written into its config.json; before, no
    command takes the VAE unless --scale and --shift say them. Ctrl-C saves and exits; --resume
    continues, to the very weights of an unbroken run.`,
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
