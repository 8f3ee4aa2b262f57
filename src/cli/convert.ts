/** `coda convert`: a checkpoint in another form. */
import { type Command, defineCommand } from "./command.ts";
import { booleanFlag, choiceFlag } from "./flags.ts";
import { MODEL_FLAGS } from "./model_flags.ts";

const LAYOUTS = ["ldm", "diffusers"] as const;
const DTYPES = ["f32", "f16", "bf16"] as const;

/** The command. */
export const convert: Command = defineCommand({
  name: "convert",
  summary: "writes a checkpoint in another key layout, dtype or file format",
  description: `
    Reads what coda inspect reads, PyTorch files too, and writes safetensors, tensor by tensor, so
    that a model needs no memory as a whole. OUT is a .safetensors file, which is written over if it
    is there, or a new or empty folder, which gets a config.json beside the weights; in either form
    the model keeps its configuration.

    Of a checkpoint that holds other models too, the autoencoder and the quantizer are taken. A
    file that holds neither is copied under its own names.`,
  positionals: { name: "IN OUT", min: 2, max: 2 },
  flags: {
    layout: choiceFlag("how tensors are named; default as they are", LAYOUTS),
    dtype: choiceFlag("how floats are stored; default as they are", DTYPES),
    fuseLora: booleanFlag("write adapters into their convolutions"),
    ...MODEL_FLAGS,
    json: booleanFlag("print what was written as one JSON document"),
  },
  examples: [
    {
      does: "FLUX's autoencoder for diffusers",
      type: "coda convert ae.safetensors flux-vae --layout diffusers",
    },
    { does: "from PyTorch", type: "coda convert kl16.ckpt kl16.safetensors" },
    {
      does: "an official tokenizer, ready to use, in half the space",
      type: "coda convert coda-mar mar --fuse-lora --dtype bf16",
    },
  ],
  async run({ flags, args: [input, output] }) {
    const { convertFile } = await import("./work/convert.ts");
    await convertFile(input, output, flags);
  },
});
