/** `coda verify`: whether images still have the tokens that they were given. */
import { type Command, defineCommand } from "./command.ts";
import { booleanFlag, bytesFlag, numberFlag, stringFlag } from "./flags.ts";
import { HALF_FLAG, MODEL_FLAGS, TOKENIZER_FLAG } from "./model_flags.ts";
import { isOutputFile, someImages } from "./outputs.ts";
import { UsageError } from "./errors.ts";
import { join } from "@std/path";

/** The command. */
export const verify: Command = defineCommand({
  name: "verify",
  summary: "makes images' tokens again and compares",
  description: `
    Encodes each image again and compares with its .coda file, which is looked for as encode names it:
    below the folder of --tokens, under the image's name. Reports scale by scale how many tokens differ,
    and by which margins the logits of the codes in the file lie below the best ones.

    On another adapter the last bits of a logit may differ, and so may a token whose best logits nearly
    tie. Scales after the first that differs quantize what it left over, and prove nothing. The
    exit code is 1 where a token of the first scale that differs had a margin above --tolerance, or a
    file could not be compared.

    Tokens whose file says that they were made with --half are made again with it. --half itself does so
    for all, as for files of older versions, which do not say.`,
  positionals: { name: "IMAGE|FOLDER", min: 1, max: Infinity },
  flags: {
    model: TOKENIZER_FLAG,
    tokens: stringFlag("folder of the token files, or FILE.coda for one image", {
      short: "t",
      value: "DIR|FILE",
      default: ".",
    }),
    tolerance: numberFlag("the largest margin of a near tie, in logits", {
      min: 0,
      default: 0.001,
    }),
    shortSide: numberFlag("resize each image as encode --short-side did", {
      integer: true,
      min: 1,
      max: 65_535,
    }),
    json: booleanFlag("print one JSON document, a list of images with every token that differs"),
    memory: bytesFlag(
      "GPU memory to stay within, for example 2GB; what needs more is computed in bands",
    ),
    half: HALF_FLAG,
    ...MODEL_FLAGS,
  },
  examples: [
    { does: "one photograph and photo.coda", type: "coda verify photo.jpg" },
    {
      does: "a folder that was encoded on another machine",
      type: "coda verify photos --tokens tokens --short-side 256",
    },
  ],
  async run({ flags, args }) {
    const { tokens } = flags;
    const { images, errors } = await someImages(args);
    const isFile = isOutputFile({ out: tokens, extensions: [".coda"], extension: ".coda" });
    if (isFile && images.length > 1) {
      throw new UsageError(`--tokens ${tokens} is one file for ${images.length} images`);
    }
    const pairs = images.map(({ input, name }) => ({
      image: input,
      tokens: isFile ? tokens : join(tokens, `${name}.coda`),
    }));
    const { verifyImages } = await import("./work/verify.ts");
    return await verifyImages(pairs, errors, flags);
  },
});
