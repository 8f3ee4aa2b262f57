/** The work of `coda encode`. */
import {
  type Image,
  type ImageError,
  ImageSizeError,
  loadImage,
  resizeShortSide,
} from "../../data/mod.ts";
import { tokenCount } from "../../quantizer/mod.ts";
import type { Tokenizer } from "../../tokenizer.ts";
import { type Tokens, tokensToJson, writeTokens } from "../../tokens/mod.ts";
import { bitsPerIndex } from "../../tokens/tokens.ts";
import { stopOnInterrupt } from "../interrupt.ts";
import type { Job } from "../outputs.ts";
import { Problems } from "../problems.ts";
import { Progress } from "../progress.ts";
import type { MemoryPlan } from "../../vae/mod.ts";
import { MemoryPaths } from "./memory_paths.ts";
import { loadModel, type ModelOptions } from "./model.ts";

/** The most pixels that are read of an image: as many as can be shrunk. */
const MAX_PIXELS = 2 ** 28;

/** How images are encoded. */
export interface EncodeOptions extends ModelOptions {
  /** Whether one JSON document is printed and no file written. */
  readonly json: boolean;
  /** What each image's shorter side is made, if it is resized. */
  readonly shortSide: number | undefined;
  /** How many images of equal size are encoded together. */
  readonly batch: number;
}

/**
 * Encodes images, tells of those that cannot be, and returns the exit code.
 *
 * @param errors What was named beside them and cannot be encoded.
 */
export async function encodeImages(
  jobs: readonly Job[],
  errors: readonly ImageError[],
  options: EncodeOptions,
): Promise<number> {
  const { json, quiet } = options;
  using tokenizer = await loadModel(options);
  using stop = stopOnInterrupt();
  using progress = new Progress({ label: "encode", unit: "images", total: jobs.length, quiet });
  const problems = new Problems(progress);
  for (const error of errors) problems.add(error.file, error);
  const summary = new Summary(new MemoryPaths(options.memory !== undefined));
  const documents: string[] = [];
  const encoder = new Encoder(tokenizer, jobs, options, problems);
  for await (const { job, tokens, memory } of encoder.results()) {
    if (stop.signal.aborted) break;
    if (json) documents.push(JSON.stringify({ file: job.input, memory, ...tokensToJson(tokens) }));
    else await writeTokens(job.output, tokens);
    summary.add(tokens, memory);
    progress.update(summary.images + problems.count);
  }
  if (json) console.log(documents.length === 0 ? "[]" : `[\n${documents.join(",\n")}\n]`);
  else if (!quiet && summary.images > 0) console.log(summary.text());
  return problems.finish(jobs.length + errors.length, "encoded");
}

/** An image that was read, with what it becomes. */
interface Loaded {
  readonly job: Job;
  readonly image: Image;
}

/** An image's tokens. */
interface Encoded {
  readonly job: Job;
  readonly tokens: Tokens;
  readonly memory: MemoryPlan;
}

/** Reads images ahead, groups neighbours of equal size, encodes. */
class Encoder {
  #tokenizer: Tokenizer;
  #jobs: readonly Job[];
  #batch: number;
  #shortSide: number | undefined;
  #problems: Problems;

  constructor(
    tokenizer: Tokenizer,
    jobs: readonly Job[],
    { batch, shortSide }: EncodeOptions,
    problems: Problems,
  ) {
    this.#tokenizer = tokenizer;
    this.#jobs = jobs;
    this.#batch = batch;
    this.#shortSide = shortSide;
    this.#problems = problems;
  }

  /** The tokens of each image that can be encoded, in order. */
  async *results(): AsyncGenerator<Encoded> {
    let group: Loaded[] = [];
    for await (const loaded of this.#loaded()) {
      if (group.length === this.#batch || !isSameSize(group[0]?.image, loaded.image)) {
        yield* await this.#encode(group);
        group = [];
      }
      group.push(loaded);
    }
    yield* await this.#encode(group);
  }

  /** The images, the next of which is read while the caller works. */
  async *#loaded(): AsyncGenerator<Loaded> {
    const jobs = this.#jobs;
    if (jobs.length === 0) return;
    let next = this.#load(jobs[0]);
    for (let i = 0; i < jobs.length; i++) {
      const image = await next;
      if (i + 1 < jobs.length) next = this.#load(jobs[i + 1]);
      if (image) yield { job: jobs[i], image };
    }
  }

  async #load({ input }: Job): Promise<Image | undefined> {
    try {
      const image = await loadImage(input, { maxPixels: MAX_PIXELS });
      return this.#shortSide === undefined ? image : resizeShortSide(image, this.#shortSide);
    } catch (error) {
      this.#problems.add(input, error);
      return undefined;
    }
  }

  /** Where a group fails, its images are encoded one by one: each error is then one file's. */
  async #encode(group: readonly Loaded[]): Promise<Encoded[]> {
    if (group.length === 0) return [];
    try {
      const all = await this.#tokenizer.encodeBatch(group.map(({ image }) => image));
      const memory = this.#tokenizer.plan("encode", group[0].image, group.length);
      return all.map((tokens, i) => ({ job: group[i].job, tokens, memory }));
    } catch (error) {
      if (group.length === 1) {
        const [{ job, image }] = group;
        const hint = error instanceof ImageSizeError ? this.#hint(image) : "";
        this.#problems.add(job.input, error, hint);
        return [];
      }
      const parts: Encoded[] = [];
      for (const one of group) parts.push(...await this.#encode([one]));
      return parts;
    }
  }

  /** A --short-side with which an image of another size can be encoded. */
  #hint({ width, height }: Image): string {
    const { reduction } = this.#tokenizer.vae;
    const side = Math.min(width, height);
    if (side < reduction) return `, for example with --short-side ${8 * reduction}`;
    let [fits, tooLarge] = [0, Math.floor(side / reduction) + 1]; // in tokens
    while (tooLarge - fits > 1) {
      const middle = Math.floor((fits + tooLarge) / 2);
      if (this.#fits(width, height, middle * reduction / side)) fits = middle;
      else tooLarge = middle;
    }
    return fits === 0 ? " or cut it" : `, for example with --short-side ${fits * reduction}`;
  }

  #fits(width: number, height: number, scale: number): boolean {
    const [w, h] = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
    try {
      this.#tokenizer.plan("encode", { width: w, height: h });
      return true;
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
  }
}

function isSameSize(a: Image | undefined, b: Image): boolean {
  return a === undefined || (a.width === b.width && a.height === b.height);
}

/** What is said at the end. */
class Summary {
  images = 0;
  #tokens: number[] = [];
  #bits = 0;
  #pixels = 0;
  #start = performance.now();
  #paths: MemoryPaths;

  constructor(paths: MemoryPaths) {
    this.#paths = paths;
  }

  add({ width, height, grids, codebookSize }: Tokens, memory: MemoryPlan): void {
    this.#paths.add(memory);
    const tokens = tokenCount(grids);
    this.images++;
    this.#tokens.push(tokens);
    this.#bits += tokens * bitsPerIndex(codebookSize);
    this.#pixels += width * height;
  }

  text(): string {
    const seconds = (performance.now() - this.#start) / 1000;
    const [least, most] = [Math.min(...this.#tokens), Math.max(...this.#tokens)];
    const tokens = least === most ? `${most}` : `${least} to ${most}`;
    return [
      this.images === 1 ? "1 image" : `${this.images} images`,
      `${tokens} tokens each`,
      `${(this.#bits / this.#pixels).toFixed(3)} bits per pixel`,
      `${(this.images / seconds).toPrecision(3)} images/s`,
      ...this.#paths.texts(),
    ].join(", ");
  }
}
