/**
 * Storage in f16 beside f32, as tables in Markdown, which bench/results/half.md keeps:
 * `deno run -A bench/half_table.ts ../photos/heldout`. The embedded tokenizer on photographs at
 * center-256: which codes differ and what images that makes; then, for one image, bytes and seconds.
 * `--size 512` measures a larger one.
 *
 * @module
 */
import { numberFlag, parseFlags } from "../src/cli/flags.ts";
import { centerCrop, findImages, type Image, loadImage, resizeShortSide } from "../src/data/mod.ts";
import { psnr } from "../src/metrics/mod.ts";
import { Tokenizer } from "../src/tokenizer.ts";
import type { Tokens } from "../src/tokens/mod.ts";
import { median } from "./median.ts";
import { tunedGpu } from "./support.ts";

const ROUNDS = 5;

/** Sums over photographs. */
const total = { images: 0, codes: 0, differ: 0, ofF32: 0, ofF16: 0, apart: 0, sameTokens: 0 };

function differing(a: Tokens, b: Tokens): number[] {
  return a.indices.map((codes, s) => codes.filter((code, i) => code !== b.indices[s][i]).length);
}

/** Tokens and images of one photograph, in f32 and in f16. */
async function compare(image: Image, whole: Tokenizer, half: Tokenizer): Promise<number[]> {
  const [tokens, rounded] = [await whole.encode(image), await half.encode(image)];
  const [decoded, itsOwn] = [await whole.decode(tokens), await half.decode(rounded)];
  const differ = differing(tokens, rounded);
  total.images++;
  total.codes += tokens.indices.reduce((sum, { length }) => sum + length, 0);
  total.differ += differ.reduce((sum, count) => sum + count, 0);
  total.ofF32 += psnr(decoded, image);
  total.ofF16 += psnr(itsOwn, image);
  total.apart += psnr(itsOwn, decoded);
  total.sameTokens += psnr(await half.decode(tokens), decoded);
  return differ;
}

/** Bytes and median seconds of one image, in a device of its own. */
async function measure(image: Image, half: boolean): Promise<(string | number)[]> {
  using gpu = await tunedGpu();
  using tokenizer = await Tokenizer.load(undefined, { gpu, half });
  gpu.trim();
  const weights = gpu.memory.live;
  const tokens = await tokenizer.encode(image);
  const works = { encode: () => tokenizer.encode(image), decode: () => tokenizer.decode(tokens) };
  const cells: (string | number)[] = [half ? "f16" : "f32", megabytes(weights)];
  for (const [name, work] of Object.entries(works)) {
    const seconds: number[] = [];
    await work();
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now();
      await work();
      seconds.push((performance.now() - start) / 1000);
    }
    const { bytes } = tokenizer.plan(name as keyof typeof works, image);
    cells.push(megabytes(bytes), median(seconds).toFixed(3));
  }
  return cells;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function row(cells: readonly (string | number)[]): void {
  console.log(`| ${cells.join(" | ")} |`);
}

function heading(cells: readonly string[]): void {
  row(cells);
  row(cells.map(() => "---"));
}

const { flags, args } = parseFlags({
  size: numberFlag("side of the image that is measured", { integer: true, min: 8, default: 256 }),
  count: numberFlag("photographs at most", { integer: true, min: 1, default: 1000 }),
}, Deno.args);

const files = (await findImages(args)).slice(0, flags.count);
const gpu = await tunedGpu();
console.log(`Adapter: ${gpu.adapter.description}.\n`);
const perScale: number[] = [];
{
  using whole = await Tokenizer.load(undefined, { gpu });
  using half = await Tokenizer.load(undefined, { gpu, half: true });
  for (const file of files) {
    const image = centerCrop(resizeShortSide(await loadImage(file), 256), 256, 256);
    const differ = await compare(image, whole, half);
    differ.forEach((count, s) => perScale[s] = (perScale[s] ?? 0) + count);
  }
}
gpu[Symbol.dispose]();

const { images, codes, differ } = total;
heading([
  "photographs",
  "codes that differ",
  "by scale",
  "PSNR f32",
  "PSNR f16",
  "f16 against f32",
  "of the same tokens",
]);
row([
  images,
  `${differ} of ${codes} (${(100 * differ / codes).toFixed(2)} %)`,
  perScale.join(", "),
  ...[total.ofF32, total.ofF16, total.apart, total.sameTokens].map((sum) =>
    `${(sum / images).toFixed(3)} dB`
  ),
]);
console.log();
heading(["stored", "MB of weights", "MB encode", "s", "MB decode", "s"]);
const photo = await loadImage(files[0]);
const image = centerCrop(resizeShortSide(photo, flags.size), flags.size, flags.size);
for (const half of [false, true]) row(await measure(image, half));
