/** `coda encode`: images become tokens. */
import { type Command, defineCommand } from "./command.ts";
import { UsageError } from "./errors.ts";
import { booleanFlag, bytesFlag, numberFlag, stringFlag } from "./flags.ts";
import { HALF_FLAG, MODEL_FLAGS, TOKENIZER_FLAG } from "./model_flags.ts";
import { namedImages, planOutputs } from "./outputs.ts";

/** The command. */
export const encode: Command = defineCommand({
  name: "encode",
  summary: "turns images into tokens",
  description: `
    Writes a .coda file for each image into the working directory, or into the folder of --out,
    under the image's name; the images of a folder keep their places below it. --json prints the
    tokens instead.

    Images of any size and aspect ratio are taken as they are, or resized with --short-side. One that
    needs more GPU memory than --memory allows, or the adapter has for one tensor, is encoded in
    bands of rows, to the same tokens. A bad image is reported, the others are done, and the exit code
    is 1.

    --half stores weights and feature maps in 16 bits, which not every model can: one whose values
    exceed 65504 ends with an error. Where two codes are about as near, it may choose the other. Such
    tokens say so, and are decoded with --half or without, as any.`,
  positionals: { name: "IMAGE|FOLDER", min: 1, max: Infinity },
  flags: {
    model: TOKENIZER_FLAG,
    out: stringFlag("folder for the token files, or FILE.coda for one image", {
      short: "o",
      value: "DIR|FILE",
    }),
    json: booleanFlag("print one JSON document, a list of images with their tokens"),
    shortSide: numberFlag("resize each image so that its shorter side has N pixels", {
      integer: true,
      min: 1,
      max: 65_535,
    }),
    batch: numberFlag("encode up to N images of equal size together", {
      integer: true,
      min: 1,
      default: 4,
    }),
    memory: bytesFlag(
      "GPU memory to stay within, for example 2GB; what needs more is computed in bands",
    ),
    half: HALF_FLAG,
    ...MODEL_FLAGS,
  },
  examples: [
    { does: "one photograph: photo.coda", type: "coda encode photo.jpg" },
    {
      does: "a folder of them, made smaller",
      type: "coda encode photos --out tokens --short-side 256",
    },
    {
      does: "how many tokens each scale has",
      type: "coda encode photo.jpg --json | jq '.[0].grids'",
    },
  ],
  async run({ flags, args }) {
    if (flags.json && flags.out !== undefined) {
      throw new UsageError("--json prints to stdout: leave out --out");
    }
    const { images, errors } = await namedImages(args);
    if (images.length === 0 && errors.length === 1) throw errors[0];
    const jobs = flags.json
      ? images.map(({ input }) => ({ input, output: "" }))
      : await planOutputs(images, {
        out: flags.out,
        extensions: [".coda"],
        extension: ".coda",
      });
    const { encodeImages } = await import("./work/encode.ts");
    return await encodeImages(jobs, errors, flags);
  },
});
