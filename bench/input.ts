/**
 * Whether a run waits for its images: `deno run -A bench/input.ts photos`. Prints how many images a
 * second the input pipeline delivers by itself, how many a joint step of the built-in VAE's adaptation
 * consumes, for each size of crops, and for how long the main thread is busy with an image: what it
 * resizes it does not dispatch. `--json` prints the same for programs.
 *
 * @module
 */
import { booleanFlag, parseFlags } from "../src/cli/flags.ts";
import { Batches, ImageFolder, loadImage } from "../src/data/mod.ts";
import { resizePart, shortSideSize } from "../src/data/resize.ts";
import type { Gpu } from "../src/gpu/mod.ts";
import { loadVae } from "../src/checkpoint/mod.ts";
import { injectLora } from "../src/nn/mod.ts";
import { CodaQuantizer, PATCH_SIZES_F8 } from "../src/quantizer/mod.ts";
import { Random } from "../src/tensor/mod.ts";
import { Adaptation, defaultRecipe } from "../src/train/mod.ts";
import { benchGpu, noise } from "./support.ts";

const SIZES = [128, 256];
const BATCH = 4;
const BATCHES = 24;
const STEPS = 3;
const RESIZED = 16;

/** A size of crops. */
interface Row {
  readonly size: number;
  /** Images a second of the pipeline alone. */
  readonly delivered: number;
  /** Images a second of joint steps. */
  readonly consumed: number;
  /** Milliseconds of the main thread for resizing an image. */
  readonly resizing: number;
}

const { flags, args } = parseFlags({ json: booleanFlag("print lines of JSON") }, Deno.args);
const gpu = await benchGpu();
if (!flags.json) console.log(gpu.adapter.description || gpu.adapter.vendor);
for (const size of SIZES) {
  const shortSide = Math.round((size * 288) / 256);
  const folder = await ImageFolder.open(args, { size, shortSide, seed: 1 });
  const row: Row = {
    size,
    delivered: await delivered(folder),
    consumed: await consumed(gpu, size),
    resizing: await resizing(folder),
  };
  console.log(flags.json ? JSON.stringify(row) : textOf(row));
}

function textOf({ size, delivered, consumed, resizing }: Row): string {
  return `crops of ${size}: delivers ${delivered.toFixed(1)} images/s, a step consumes ` +
    `${consumed.toFixed(2)}: ${(delivered / consumed).toFixed(0)} times as many; ` +
    `resizing takes the main thread ${resizing.toFixed(1)} ms an image`;
}

async function delivered(folder: ImageFolder): Promise<number> {
  await using batches = new Batches(folder, { batchSize: BATCH });
  await batches.next(0);
  const start = performance.now();
  for (let step = 1; step <= BATCHES; step++) await batches.next(step);
  return BATCH * BATCHES / ((performance.now() - start) / 1000);
}

async function resizing({ files, shortSide, size }: ImageFolder): Promise<number> {
  let time = 0;
  for (const file of files.slice(0, RESIZED)) {
    const image = await loadImage(file);
    const { width, height } = shortSideSize(image, shortSide);
    const start = performance.now();
    resizePart(image, width, height, { left: 0, top: 0, width: size, height: size });
    time += performance.now() - start;
  }
  return time / Math.min(RESIZED, files.length);
}

/** Joint steps as those that the shipped tokenizer is trained with. */
async function consumed(gpu: Gpu, size: number): Promise<number> {
  using vae = await loadVae(gpu);
  const targets = ["conv1", "conv2", "upsample", "downsample"];
  const lora = injectLora(vae.convs, { rank: 32, targets });
  using quantizer = new CodaQuantizer(gpu, {
    codebookSize: 1024,
    channels: vae.config.latentChannels,
    attentionDim: 32,
    patchSizes: PATCH_SIZES_F8,
    norm: "rms",
    beta: 0.05,
  });
  for (const part of [lora, quantizer]) part.parameters.initialize(new Random(1));
  using _lora = lora.parameters;
  using adaptation = new Adaptation({ vae, lora, quantizer }, defaultRecipe(100));
  using images = noise(gpu, [BATCH, size, size, 3]);
  const step = async () => {
    adaptation.jointStep(images)[Symbol.dispose]();
    await gpu.sync();
  };
  await step();
  const start = performance.now();
  for (let i = 0; i < STEPS; i++) await step();
  return BATCH * STEPS / ((performance.now() - start) / 1000);
}
