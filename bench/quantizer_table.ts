/**
 * The quantizer on both paths as tables in Markdown, which bench/results/quantizer.md keeps above those
 * of quantizer_sweep.ts: `deno run -A bench/quantizer_table.ts`. Rows are codebook sizes and tokens of
 * one image; bytes are the peak during a forward and backward pass, over those that were live before it
 * (the parameters); times are medians of rounds in which the paths take turns, of encode replayed, as a
 * tokenizer runs it. `--quick` leaves out what takes minutes, `--memory`
 * the times.
 *
 * @module
 */
import { fromFileUrl } from "@std/path";
import { loadVae } from "../src/checkpoint/mod.ts";
import type { Gpu } from "../src/gpu/mod.ts";
import { injectLora } from "../src/nn/mod.ts";
import { PATCH_SIZES_F16, PATCH_SIZES_F8 } from "../src/quantizer/mod.ts";
import { type Path, withPath } from "../src/quantizer/path.ts";
import { Random, Replays, type Tensor } from "../src/tensor/mod.ts";
import { Adaptation, defaultRecipe } from "../src/train/mod.ts";
import { median } from "./median.ts";
import { benchQuantizer, peakBeyond, trainingPass } from "./quantizer_support.ts";
import { factsOf, table } from "./report/markdown.ts";
import { settingOf } from "./report/setting.ts";
import { benchGpu, measure, noise } from "./support.ts";

const ROUNDS = Deno.args.includes("--memory") ? 0 : 5;
const PATHS: Path[] = ["composed", "streamed"];
const GRIDS = [{ side: 16, patchSizes: PATCH_SIZES_F16, tokens: 680 }, {
  side: 32,
  patchSizes: PATCH_SIZES_F8,
  tokens: 2240,
}];
/** The logits of one pass that the composed path is still asked for: it holds several times as much. */
const LARGEST = 2240 * 16384;

interface Measured {
  encode: number | undefined;
  /** With the keys made beforehand, by an encoder. */
  held: number | undefined;
  training: number | undefined;
  bytes: number;
}

const gpu = await benchGpu();

/** Calls of encode to one wait for the GPU, which alone takes up to 10 ms: Deno asks no more often. */
const ENCODES = 16;

async function seconds(work: () => void, calls = 1): Promise<number> {
  const start = performance.now();
  await measure(gpu, work, calls);
  return (performance.now() - start) / calls / 1000;
}

/** The peak of bytes during `work`, over those live before. */
async function peakOf(work: () => void): Promise<number> {
  await gpu.sync();
  const before = gpu.memory.live;
  gpu.resetPeak();
  await measure(gpu, work, 1);
  const { peak } = gpu.memory;
  gpu.trim();
  return peak - before;
}

function noTimes(): Record<"encode" | "held" | "training", number[]> {
  return { encode: [], held: [], training: [] };
}

/** The median, where there were rounds. */
function middle(values: number[]): number | undefined {
  return ROUNDS === 0 ? undefined : median(values);
}

async function measureCase(
  codebookSize: number,
  { side, patchSizes, tokens }: typeof GRIDS[number],
): Promise<Map<Path, Measured>> {
  using quantizer = benchQuantizer(gpu, codebookSize, patchSizes);
  using f = noise(gpu, [1, side, side, 16]);
  using encoder = quantizer.encoder();
  using replays = new Replays(gpu);
  const encode = (path: Path) => void replays.run(path, [f], ([f]) => quantizer.encode(f));
  const held = (path: Path) => void replays.run(`${path}, held`, [f], ([f]) => encoder.encode(f));
  const paths = PATHS.filter((path) => path === "streamed" || codebookSize * tokens <= LARGEST);
  const times = new Map(paths.map((path) => [path, { ...noTimes(), bytes: 0 }]));
  for (const [path, found] of times) {
    found.bytes = await withPath(path, () => peakOf(() => trainingPass(quantizer, f)));
    if (ROUNDS === 0) continue;
    for (const work of [encode, held]) await withPath(path, () => seconds(() => work(path)));
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const [path, found] of times) {
      await withPath(path, async () => {
        found.encode.push(await seconds(() => encode(path), ENCODES));
        found.held.push(await seconds(() => held(path), ENCODES));
        found.training.push(await seconds(() => trainingPass(quantizer, f)));
      });
    }
  }
  return new Map(
    [...times].map(([path, { encode, held, training, bytes }]) => [path, {
      encode: middle(encode),
      held: middle(held),
      training: middle(training),
      bytes,
    }]),
  );
}

/** The peaks of a streamed pass: of all bytes, and of those beside the codebook's keys, values and gradients. */
async function trainingPeaks(gpu: Gpu, codebookSize: number): Promise<[number, number]> {
  using quantizer = benchQuantizer(gpu, codebookSize, PATCH_SIZES_F8);
  using f = noise(gpu, [1, 32, 32, 16]);
  const own = [32, 16].map((width) => 4 * width * codebookSize);
  return await withPath("streamed", async () => {
    const run = () => trainingPass(quantizer, f);
    return [await peakOf(run), await peakBeyond(gpu, own, () => measure(gpu, run, 1))];
  });
}

/** The peak of a joint training step on one 256² image with the embedded VAE, over what was live before. */
async function jointPeak(gpu: Gpu, codebookSize: number, path: Path): Promise<number> {
  using vae = await loadVae(gpu, fromFileUrl(new URL("../models/tiny-kl-f8", import.meta.url)));
  const lora = injectLora(vae.convs, {
    rank: 32,
    targets: ["conv1", "conv2", "upsample", "downsample"],
  });
  using _loraParameters = lora.parameters;
  lora.parameters.initialize(new Random(1));
  using quantizer = benchQuantizer(gpu, codebookSize, PATCH_SIZES_F8);
  using adaptation = new Adaptation({ vae, lora, quantizer }, defaultRecipe(100));
  using images: Tensor = noise(gpu, [1, 256, 256, 3]);
  return await withPath(path, () => peakOf(() => adaptation.jointStep(images)[Symbol.dispose]()));
}

const megabytes = (bytes: number | undefined) =>
  bytes === undefined ? "–" : (bytes / 1e6).toFixed(1);
const time = (seconds: number | undefined) => seconds?.toFixed(4) ?? "–";
const command = ["deno run -A bench/quantizer_table.ts", ...Deno.args].join(" ");

console.log(`# The quantizer: the matrix of logits (composed) and streamed

${table(["", ""], factsOf(await settingOf(command)))}

One image; d = 32, c = 16. ${
  ROUNDS > 0
    ? `Times: medians of ${ROUNDS}, the paths taking turns; encode is replayed, ${ENCODES} calls to a wait.`
    : "Times: not measured."
} Left to itself the quantizer is trained streamed from 64 codes on and encodes so from 512.
MB are the peak of a forward and backward pass over what was live before it, the parameters. – : more logits
than ${LARGEST}, or not measured. Logits alone are 4 bytes a code and token. The streamed path grows by about
360 bytes a code, whatever the tokens: 320 are the codebook as keys and values and the gradient of the keys, once
for all scales, and the rest is one number for each scale. Its passes over the codebook run once for the tokens
of all scales, but for the searches and the gradients of queries, each of which waits for another scale's.

| V | tokens | MB composed | MB streamed | encode composed, s | streamed, s | keys held: composed, s | streamed, s | forward + backward composed, s | streamed, s |
|---|---|---|---|---|---|---|---|---|---|`);
const sizes = Deno.args.includes("--quick")
  ? [512, 4096]
  : [64, 256, 512, 1024, 4096, 16384, 65536];
for (const codebookSize of sizes) {
  for (const grid of GRIDS) {
    const found = await measureCase(codebookSize, grid);
    const [composed, streamed] = PATHS.map((path) => found.get(path));
    const cells = [
      codebookSize,
      grid.tokens,
      megabytes(composed?.bytes),
      megabytes(streamed?.bytes),
      time(composed?.encode),
      time(streamed?.encode),
      time(composed?.held),
      time(streamed?.held),
      time(composed?.training),
      time(streamed?.training),
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
}

console.log(`
## Beyond the codebook's own, 2,240 tokens

The peak of the streamed pass of the quantizer alone, its parameters not among it, and the most that is live at
any moment of it beside the codebook's keys [V, 32] and values [V, 16], the gradients of both, and the gradient
of the codebook [V, 16]. Keys and values are held because they are made once for all scales: they are ${
  4 * (32 + 16)
} bytes
a code, so that "in all" cannot be within twice of that of a small codebook. What is beyond them is.

| V | MB in all | MB beyond |
|---|---|---|`);
const peaks: [number, number][] = [];
for (const codebookSize of [4096, 65536]) {
  const [total, beyond] = await trainingPeaks(gpu, codebookSize);
  peaks.push([total, beyond]);
  console.log(`| ${codebookSize} | ${megabytes(total)} | ${megabytes(beyond)} |`);
}
const ratio = (column: 0 | 1) => (peaks[1][column] / peaks[0][column]).toFixed(2);
console.log(`| ratio | ${ratio(0)} | ${ratio(1)} |`);

console.log(`
## A joint training step on one 256² image (2,240 tokens), embedded VAE with LoRA

| V | MB composed | MB streamed |
|---|---|---|`);
for (const codebookSize of [4096, 65536]) {
  const composed = codebookSize * 2240 <= LARGEST
    ? await jointPeak(gpu, codebookSize, "composed")
    : undefined;
  const streamed = await jointPeak(gpu, codebookSize, "streamed");
  console.log(`| ${codebookSize} | ${megabytes(composed)} | ${megabytes(streamed)} |`);
}
