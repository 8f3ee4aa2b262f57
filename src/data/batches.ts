import type { ImageFolder } from "./folder.ts";
import { Gate } from "./gate.ts";
import { imageToFloat } from "./image.ts";

/** Choices for {@link Batches}. */
export interface BatchesOptions {
  /** Samples in a batch. */
  batchSize: number;
  /** How many batches to make ready beyond the one asked for; 2 by default. */
  ahead?: number;
  /** How many images to decode at a time; 4 by default. */
  concurrency?: number;
}

/** One batch of training crops. */
export interface Batch {
  /** The step it belongs to. */
  readonly step: number;
  /** `[batchSize, size, size, 3]` values in [−1, 1], NHWC. */
  readonly images: Float32Array<ArrayBuffer>;
  /** The file of each sample. */
  readonly files: readonly string[];
}

/**
 * Batches of an {@link ImageFolder}'s samples, made ready while the caller computes. The batch of
 * step s holds samples `s · batchSize` to `(s + 1) · batchSize − 1`, so it depends on s alone.
 *
 * Memory is bounded: `ahead + 1` batches and `concurrency` decoded images.
 *
 * @example
 * ```ts
 * import { Batches, ImageFolder, saveImage } from "@coda/tokenizer";
 *
 * const path = await Deno.makeTempDir();
 * await saveImage(`${path}/a.png`, { width: 9, height: 9, data: new Uint8Array(243) });
 * const folder = await ImageFolder.open([path], { size: 8, seed: 1 });
 * await using batches = new Batches(folder, { batchSize: 2 });
 * const { images } = await batches.next(0);
 * console.assert(images.length === 2 * 8 * 8 * 3);
 * ```
 */
export class Batches implements AsyncDisposable {
  readonly #folder: ImageFolder;
  readonly #batchSize: number;
  readonly #ahead: number;
  readonly #gate: Gate;
  readonly #ready = new Map<number, Promise<Batch>>();
  readonly #running = new Set<Promise<unknown>>();
  #closed = false;

  /**
   * Begins nothing yet; the first {@link Batches.next} does.
   *
   * @throws {RangeError} If an option is not a whole number from 1 (`ahead`: from 0).
   */
  constructor(folder: ImageFolder, options: BatchesOptions) {
    const { batchSize, ahead = 2, concurrency = 4 } = options;
    for (
      const [name, value, least] of [
        ["batchSize", batchSize, 1],
        ["ahead", ahead, 0],
        ["concurrency", concurrency, 1],
      ] as const
    ) {
      if (Number.isInteger(value) && value >= least) continue;
      throw new RangeError(`batches: ${name} is ${value}, expected a whole number from ${least}`);
    }
    this.#folder = folder;
    this.#batchSize = batchSize;
    this.#ahead = ahead;
    this.#gate = new Gate(concurrency);
  }

  /**
   * The batch of a step. Those of the steps after it are begun at once; asking for steps in order
   * finds them ready.
   *
   * @throws {ImageError} If none of the folder's images can be used.
   */
  async next(step: number): Promise<Batch> {
    const last = step + this.#ahead;
    for (const s of this.#ready.keys()) if (s < step || s > last) this.#ready.delete(s);
    for (let s = step; s <= last; s++) if (!this.#ready.has(s)) this.#begin(s);
    const batch = this.#ready.get(step)!;
    this.#ready.delete(step);
    return await batch;
  }

  /** Stops making batches and waits for the images under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#ready.clear();
    await Promise.allSettled(this.#running);
  }

  #begin(step: number): void {
    const batch = this.#make(step);
    this.#ready.set(step, batch);
    this.#running.add(batch);
    // A failure belongs to whoever asks for this step, if anyone does.
    const done = () => this.#running.delete(batch);
    batch.then(done, done);
  }

  async #make(step: number): Promise<Batch> {
    const length = this.#folder.size ** 2 * 3;
    const images = new Float32Array(this.#batchSize * length);
    const files = new Array<string>(this.#batchSize).fill("");
    const jobs = files.map((_, b) =>
      this.#gate.run(async () => {
        if (this.#closed) throw new Error("batches: closed while a batch was being made");
        const { image, file } = await this.#folder.sample(step * this.#batchSize + b);
        imageToFloat(image, images.subarray(b * length, (b + 1) * length));
        files[b] = file;
      })
    );
    // All have ended before the first failure is told, so that nothing runs on unseen.
    for (const result of await Promise.allSettled(jobs)) {
      if (result.status === "rejected") throw result.reason;
    }
    return { step, images, files };
  }
}
