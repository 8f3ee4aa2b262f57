/** `coda decode`: tokens become images. */
import { extname } from "@std/path";
import { type Command, defineCommand } from "./command.ts";
import { UsageError } from "./errors.ts";
import { bytesFlag, choiceFlag, numberFlag, stringFlag } from "./flags.ts";
import { HALF_FLAG, MODEL_FLAGS, TOKENIZER_FLAG } from "./model_flags.ts";
import { isOutputFile, namedFiles, planOutputs } from "./outputs.ts";

const FORMATS = ["png", "jpeg", "webp"] as const;
type Format = typeof FORMATS[number];

/** The formats by the extensions of their files; the first of a format is what it is given. */
const EXTENSIONS: Readonly<Record<string, Format>> = {
  ".png": "png",
  ".jpg": "jpeg",
  ".jpeg": "jpeg",
  ".webp": "webp",
};

/** The command. */
export const decode: Command = defineCommand({
  name: "decode",
  summary: "turns tokens into images",
  description: `
    Writes an image for each token file into the working directory, or into the folder of --out,
    under the token file's name. The tokenizer must be the one that made the tokens.

    Tokens lie in scales, coarse to fine, and the first few of them are an image too: --scales says
    how many to use. A bad file is reported, the others are done, and the exit code is 1.`,
  positionals: { name: "FILE.coda", min: 1, max: Infinity },
  flags: {
    model: TOKENIZER_FLAG,
    out: stringFlag("folder for the images, or a file (.png, .jpg, .webp) for one", {
      short: "o",
      value: "DIR|FILE",
    }),
    format: choiceFlag("the images' format; default that of --out, else png", FORMATS),
    scales: numberFlag("use the first K scales only", { value: "K", integer: true, min: 1 }),
    quality: numberFlag("quality of JPEG and WebP; default 95", {
      value: "Q",
      integer: true,
      min: 1,
      max: 100,
    }),
    memory: bytesFlag(
      "GPU memory to stay within, for example 2GB; what needs more is computed in bands",
    ),
    half: HALF_FLAG,
    ...MODEL_FLAGS,
  },
  examples: [
    { does: "one image: photo.png", type: "coda decode photo.coda" },
    { does: "from the four coarsest scales", type: "coda decode photo.coda --scales 4" },
    { does: "many", type: "coda decode tokens/*.coda --out images --format webp" },
  ],
  async run({ flags, args }) {
    const format = formatOf(flags.out, flags.format);
    if (flags.quality !== undefined && format === "png") {
      throw new UsageError("--quality is for JPEG and WebP: PNG loses nothing");
    }
    const jobs = await planOutputs(namedFiles(args), {
      out: flags.out,
      extensions: Object.keys(EXTENSIONS),
      extension: extensionOf(format),
    });
    const { decodeFiles } = await import("./work/decode.ts");
    return await decodeFiles(jobs, flags);
  },
});

/** The format that --out and --format ask for. */
function formatOf(out: string | undefined, asked: Format | undefined): Format {
  const isFile = isOutputFile({ out, extensions: Object.keys(EXTENSIONS), extension: "" });
  const named = isFile ? EXTENSIONS[extname(out!).toLowerCase()] : undefined;
  if (named !== undefined && asked !== undefined && named !== asked) {
    throw new UsageError(`--out ${out} is no ${asked}: leave out --format or name another file`);
  }
  return named ?? asked ?? "png";
}

function extensionOf(format: Format): string {
  return Object.keys(EXTENSIONS).find((extension) => EXTENSIONS[extension] === format)!;
}
