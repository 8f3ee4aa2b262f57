/** `coda eval`: how good a tokenizer is on images. */
import { PROTOCOL_NAMES, type ProtocolName } from "../evaluate/protocol_names.ts";
import { type Command, defineCommand } from "./command.ts";
import { UsageError } from "./errors.ts";
import { booleanFlag, bytesFlag, choiceFlag, numberFlag, stringFlag } from "./flags.ts";
import { HALF_FLAG, MODEL_FLAGS, TOKENIZER_FLAG } from "./model_flags.ts";
import { someImages } from "./outputs.ts";

/** The command. */
export const evaluation: Command = defineCommand({
  name: "eval",
  summary: "measures a tokenizer on images",
  description: `
    Takes images through the tokenizer, and beside it through the continuous VAE, and prints PSNR, SSIM
    and the use of the codebook, overall and by scale. Every number is one of --protocol: center-256
    (short side 256 by Lanczos, centre crop, mean latent, 8 bits), coda-official (short side 288, random
    crop of 256, sampled latent, 8 bits truncated) or original (images as they are, mean latent, 8 bits).

    The continuous VAE is that of --vae; else for the built-in tokenizer the one it was adapted from,
    for another its own, which has learned to decode tokens.

    LPIPS needs --vgg and --lpips, FID and KID need --inception. --features resnet50 adds
    resnet50-kid and resnet50-fd, distances of the whole set on the features of ResNet-50, which are no
    FID; they are off by default as its weights are fetched, 94 MB the first time. What is off is said.
    The kernel distances (kid) are the ones to trust under some 2,000 images; no image is compared with
    its own reconstruction, so that of few images they are higher than other tools' KID.

    With --report, all of it is shown on a page too, with the worst and the best images, error maps, rate
    and distortion by scale, and each token's code: one file, for any browser, that needs no network.

    With --out, each image's results are kept, and the same command goes on where it was interrupted; one
    evaluation at a time writes a folder. A bad image is reported and left out, and the exit code is 1;
    so it is where a mean is below --min-psnr, --min-ssim or --min-codebook.`,
  positionals: { name: "IMAGE|FOLDER", min: 1, max: Infinity },
  flags: {
    model: TOKENIZER_FLAG,
    vae: stringFlag("the continuous VAE to compare with: weights, a folder or hf:owner/name", {
      value: "PATH",
    }),
    protocol: choiceFlag<ProtocolName>("how images are cut and encoded", PROTOCOL_NAMES, {
      value: "NAME",
      default: "center-256",
    }),
    vgg: stringFlag("VGG16's weights, for LPIPS", { value: "FILE" }),
    lpips: stringFlag("LPIPS's own weights, vgg.pth", { value: "FILE" }),
    inception: stringFlag(
      "InceptionV3's weights for FID and KID, pt_inception-2015-12-05-6726825d.pth",
      { value: "FILE" },
    ),
    features: choiceFlag<"resnet50">(
      "a network for distances of sets: resnet50, fetched from npm",
      [
        "resnet50",
      ],
    ),
    byScale: booleanFlag("also PSNR and SSIM from the first 1, 2, ... scales: as many decodings"),
    out: stringFlag("folder to keep each image's results in, and to go on from", {
      short: "o",
      value: "DIR",
    }),
    report: stringFlag("file for a page that shows it, .html; takes --by-scale with it", {
      value: "FILE",
    }),
    json: booleanFlag("print one JSON document"),
    minPsnr: numberFlag("least mean PSNR of the discrete images, in dB", { value: "DB" }),
    minSsim: numberFlag("least mean SSIM of the discrete images", { max: 1 }),
    minCodebook: numberFlag("least share of the codebook used, from 0 to 1", { min: 0, max: 1 }),
    seed: numberFlag("decides the crops and samples of coda-official", {
      integer: true,
      min: 0,
      max: Number.MAX_SAFE_INTEGER,
      default: 0,
    }),
    memory: bytesFlag(
      "GPU memory to stay within, for example 2GB; what needs more is computed in bands",
    ),
    half: HALF_FLAG,
    ...MODEL_FLAGS,
  },
  examples: [
    { does: "the built-in tokenizer", type: "coda eval photos" },
    {
      does: "a tokenizer of your own beside the VAE it was adapted from",
      type: "coda eval photos --model run --vae ae.safetensors --out results",
    },
    { does: "and a page to look at", type: "coda eval photos --report report.html" },
    { does: "fail where it is worse than it was", type: "coda eval photos --min-psnr 21.5 -q" },
  ],
  async run({ flags, args }) {
    if ((flags.vgg === undefined) !== (flags.lpips === undefined)) {
      throw new UsageError("LPIPS takes both --vgg and --lpips");
    }
    if (flags.report !== undefined && !/\.html?$/i.test(flags.report)) {
      throw new UsageError(`--report ${flags.report} is a page: name a file that ends in .html`);
    }
    const { images, errors } = await someImages(args);
    const { evaluateImages } = await import("./work/eval.ts");
    return await evaluateImages(images.map(({ input }) => input), errors, flags);
  },
});
