import { defineKernel, type Gpu, gridFor } from "../gpu/mod.ts";
import { type Tensor, zeros } from "../tensor/mod.ts";

const kernel = defineKernel("code_counts");

/**
 * How often each scale chose each code, counted on the GPU, so that every step of a training counts
 * and none is read back: a collapsing codebook shows in what is never chosen over many steps.
 *
 * @example
 * ```ts
 * import { CodeCounts, Gpu, useOfCounts } from "@coda/tokenizer";
 * import { fromArray } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * using counts = new CodeCounts(gpu, { scales: 1, codebookSize: 4 });
 * using indices = fromArray(gpu, new Uint32Array([0, 2, 2]), [1, 1, 3]);
 * counts.add([indices]);
 * const [scale] = await counts.take();
 * console.log(scale, useOfCounts(scale).used); // 1, 0, 2, 0: half of the codes
 * ```
 */
export class CodeCounts implements Disposable {
  #counts: Tensor;
  #scales: number;
  #codebookSize: number;

  /** Starts at zero. */
  constructor(gpu: Gpu, { scales, codebookSize }: { scales: number; codebookSize: number }) {
    this.#scales = scales;
    this.#codebookSize = codebookSize;
    this.#counts = zeros(gpu, [scales, codebookSize], "u32");
  }

  /**
   * Counts the codes that the scales, coarse to fine, chose in one step.
   *
   * @throws {RangeError} where there are more scales than are counted.
   */
  add(indices: readonly Tensor[]): void {
    if (indices.length > this.#scales) {
      throw new RangeError(`CodeCounts: ${indices.length} scales, expected ${this.#scales}`);
    }
    const { gpu, storage } = this.#counts;
    // Each scale's codes are a tensor of their own: to join them for one count takes as many dispatches.
    indices.forEach((index, scale) =>
      gpu.run(kernel, "add", {
        bind: { indices: index.storage, counts: storage },
        params: {
          size: index.size,
          codes: this.#codebookSize,
          first: scale * this.#codebookSize,
        },
        grid: gridFor(index.size, 64),
      })
    );
  }

  /** The counts of each scale so far; what is added from now on counts from zero. */
  async take(): Promise<Uint32Array[]> {
    const read = this.#counts.readU32();
    this.#counts.gpu.clear(this.#counts.storage);
    const counts = await read;
    const size = this.#codebookSize;
    return Array.from(
      { length: this.#scales },
      (_, scale) => counts.subarray(scale * size, (scale + 1) * size),
    );
  }

  /** Frees the counts. */
  [Symbol.dispose](): void {
    this.#counts.dispose();
  }
}
