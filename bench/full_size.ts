/**
 * A published autoencoder at full size with a quantizer of V = 16,384, from a photograph to tokens and
 * back: `deno run -A bench/full_size.ts photo.jpg --memory 2GB`. Prints seconds, the path that was
 * planned, and the most bytes that GPU buffers took. The weights are random, by the rule of
 * tests/conformance/generated.ts: KL-16's are those of the goldens' `vae_mar_full`.
 *
 * `--size 768x512` cuts another part of the photograph than the middle 256²; `--half` stores weights and
 * feature maps in f16; `--compare` runs a second time in f32 without a limit and tells how far the two
 * are apart; `--family` takes another autoencoder.
 *
 * @module
 */
import { saveTokenizer } from "../src/checkpoint/mod.ts";
import { booleanFlag, bytesFlag, choiceFlag, parseFlags, stringFlag } from "../src/cli/flags.ts";
import { formatBytes } from "../src/cli/format.ts";
import { centerCrop, type Image, loadImage, resize } from "../src/data/mod.ts";
import { psnr } from "../src/metrics/mod.ts";
import type { WeightSource } from "../src/nn/mod.ts";
import { PATCH_SIZES_F16, PATCH_SIZES_F8 } from "../src/quantizer/mod.ts";
import { Tokenizer } from "../src/tokenizer.ts";
import type { Tokens } from "../src/tokens/mod.ts";
import { AutoencoderKL, reductionOf, VAE_FAMILIES, type VaeFamily } from "../src/vae/mod.ts";
import { generate } from "../tests/conformance/generated.ts";
import { benchQuantizer } from "./quantizer_support.ts";
import { benchGpu } from "./support.ts";

const CODES = 16_384;

/** By how much a weight is larger than what keeps a signal's variance, where it is not 1. */
const GAINS: Readonly<Record<string, number>> = {
  "decoder.conv_out.weight": 0.8,
  "quant_conv.weight": 7,
  "post_quant_conv.weight": 0.25,
};

/** Weights by their names alone. */
const generated: WeightSource = {
  file: "generated weights",
  has: () => true,
  floats: (name, shape) => {
    const [, ...rest] = shape;
    const fanIn = rest.reduce((product, length) => product * length, 1);
    const bound = rounded((GAINS[name] ?? 1) * rounded(Math.sqrt(3 / fanIn)));
    const range = rest.length > 0
      ? { center: 0, bound }
      : name.endsWith("weight")
      ? { center: 1, bound: 0.2 }
      : { center: 0, bound: 0.05 };
    return Promise.resolve(
      generate({ shape: [...shape], seed: fnv1a(`vae_full:${name}`), ...range }),
    );
  },
};

/** As the goldens' lists hold it. */
function rounded(bound: number): number {
  return Number(bound.toFixed(8));
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Writes the tokenizer's folder. */
async function write(folder: string, { config }: VaeFamily): Promise<void> {
  const gpu = await benchGpu();
  using vae = await AutoencoderKL.load(gpu, config, generated);
  const patchSizes = reductionOf(config) === 16 ? PATCH_SIZES_F16 : PATCH_SIZES_F8;
  using quantizer = benchQuantizer(gpu, CODES, patchSizes);
  await saveTokenizer({ vae, quantizer }, folder);
}

/** The middle of the image, scaled so that it fills the size. */
function cut(image: Image, [width, height]: readonly number[]): Image {
  const scale = Math.max(width / image.width, height / image.height);
  const [w, h] = [image.width, image.height].map((side) => Math.round(side * scale));
  return centerCrop(resize(image, Math.max(w, width), Math.max(h, height)), height, width);
}

/** Encodes and decodes, and prints what that takes. */
async function run(
  folder: string,
  image: Image,
  memoryBytes: number | undefined,
  half: boolean,
): Promise<{ tokens: Tokens; decoded: Image }> {
  const load = performance.now();
  using tokenizer = await Tokenizer.load(folder, { memoryBytes, half });
  tokenizer.gpu.trim();
  const { gpu } = tokenizer;
  await gpu.sync();
  const limit = memoryBytes === undefined ? "no limit" : `within ${formatBytes(memoryBytes)}`;
  console.log(`${limit}: loaded ${tell(load)}, ${formatBytes(gpu.memory.live)} of weights`);
  const measured = async <T>(name: "encode" | "decode", work: () => Promise<T>): Promise<T> => {
    const plan = tokenizer.plan(name, image);
    gpu.trim();
    gpu.resetPeak();
    const start = performance.now();
    const result = await work();
    const { peak, reservedPeak } = gpu.memory;
    const took = `${formatBytes(peak)} in use, ${formatBytes(reservedPeak)} with freed buffers`;
    console.log(
      `  ${name} ${tell(start)}, ${plan.path}, planned ${formatBytes(plan.bytes)}, took ${took}`,
    );
    return result;
  };
  const tokens = await measured("encode", () => tokenizer.encode(image));
  return { tokens, decoded: await measured("decode", () => tokenizer.decode(tokens)) };
}

function tell(start: number): string {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}

const { flags, args } = parseFlags({
  memory: bytesFlag("GPU memory to stay within"),
  half: booleanFlag("weights and feature maps in f16"),
  size: stringFlag("width and height", { default: "256x256" }),
  family: choiceFlag("the autoencoder", VAE_FAMILIES.map(({ name }) => name), {
    default: VAE_FAMILIES[0].name,
  }),
  compare: booleanFlag("a second run without a limit"),
}, Deno.args);
if (args.length !== 1) {
  console.error("give one photograph");
  Deno.exit(2);
}
const folder = await Deno.makeTempDir();
try {
  const size = flags.size.split("x").map(Number);
  const image = cut(await loadImage(args[0]), size);
  console.log(`${flags.family}, V = ${CODES}, ${flags.size}`);
  await write(folder, VAE_FAMILIES.find(({ name }) => name === flags.family)!);
  const found = await run(folder, image, flags.memory, flags.half);
  if (flags.compare) {
    const free = await run(folder, image, undefined, false);
    const same = JSON.stringify(found.tokens.indices) === JSON.stringify(free.tokens.indices);
    const apart = psnr(found.decoded, free.decoded);
    console.log(`tokens ${same ? "equal" : "differ"}, images ${apart} dB apart`);
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
