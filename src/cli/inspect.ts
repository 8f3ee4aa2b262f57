/** `coda inspect`: what a checkpoint or a token file holds. */
import { type Command, defineCommand } from "./command.ts";
import { booleanFlag } from "./flags.ts";
import { MODEL_FLAGS } from "./model_flags.ts";

/** The command. */
export const inspect: Command = defineCommand({
  name: "inspect",
  summary: "says what a weight file, a model's folder or a token file holds",
  description: `
    Reads names and shapes, not the weights, of safetensors and PyTorch files, sharded ones, and
    folders with them. Prints which model it is, in which key layout, of which published family; its
    parameters and how they are stored; adapters; what is missing or beside it; and how it differs
    from the nearest family.

    Of a file that holds no model that coda uses, it says what it is nearest to and why it does not
    fit. That is no failure: the exit code is 1 only where a file cannot be read.

    Of a token file it prints the image's size, the model, whether that was in half, grids and codes.`,
  positionals: { name: "FILE|FOLDER", min: 1, max: 1 },
  flags: {
    ...MODEL_FLAGS,
    json: booleanFlag("print all of it as one JSON document"),
  },
  examples: [
    { does: "a file from elsewhere", type: "coda inspect ae.safetensors" },
    { does: "a folder of a model hub", type: "coda inspect hf:stabilityai/sdxl-vae" },
    { does: "a token file", type: "coda inspect photo.coda" },
    {
      does: "which tensors are missing, for a script",
      type: "coda inspect vae.ckpt --json | jq .vae.difference.missing",
    },
  ],
  async run({ flags, args: [path] }) {
    const { printInspection } = await import("./work/inspect.ts");
    await printInspection(path, flags);
  },
});
