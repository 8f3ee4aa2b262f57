/** The work of `coda decode`. */
import { saveImage } from "../../data/mod.ts";
import type { Tokenizer } from "../../tokenizer.ts";
import { readTokens, requireModel } from "../../tokens/mod.ts";
import { stopOnInterrupt } from "../interrupt.ts";
import type { Job } from "../outputs.ts";
import type { MemoryPlan } from "../../vae/mod.ts";
import { MemoryPaths } from "./memory_paths.ts";
import { loadModel, type ModelOptions } from "./model.ts";
import { Problems } from "../problems.ts";
import { Progress } from "../progress.ts";

/** How token files are decoded. */
export interface DecodeOptions extends ModelOptions {
  /** How many scales are used; all. */
  readonly scales: number | undefined;
  /** Quality of JPEG and WebP. */
  readonly quality: number | undefined;
}

/** Decodes token files, tells of those that cannot be, and returns the exit code. */
export async function decodeFiles(jobs: readonly Job[], options: DecodeOptions): Promise<number> {
  const { quiet } = options;
  using tokenizer = await loadModel(options);
  using stop = stopOnInterrupt();
  using progress = new Progress({ label: "decode", unit: "images", total: jobs.length, quiet });
  const problems = new Problems(progress);
  const start = performance.now();
  const paths = new MemoryPaths(options.memory !== undefined);
  let done = 0;
  for (const job of jobs) {
    if (stop.signal.aborted) break;
    try {
      paths.add(await decodeFile(tokenizer, job, options));
      done++;
    } catch (error) {
      problems.add(job.input, error);
    }
    progress.update(done + problems.count);
  }
  if (!quiet && done > 0) {
    const seconds = (performance.now() - start) / 1000;
    console.log([...summaryTexts(done, seconds), ...paths.texts()].join(", "));
  }
  return problems.finish(jobs.length, "decoded");
}

async function decodeFile(
  tokenizer: Tokenizer,
  { input, output }: Job,
  { scales, quality }: DecodeOptions,
): Promise<MemoryPlan> {
  const tokens = await readTokens(input);
  requireModel(tokens, tokenizer.modelId, input);
  const image = await tokenizer.decode(tokens, { scales });
  await saveImage(output, image, { quality });
  return tokenizer.plan("decode", image);
}

function summaryTexts(images: number, seconds: number): string[] {
  const rate = (images / seconds).toPrecision(3);
  return [images === 1 ? "1 image" : `${images} images`, `${rate} images/s`];
}
