import { GpuError } from "../../gpu/mod.ts";
import type { Tokenizer } from "../../tokenizer.ts";
import { loadModel, type ModelOptions } from "./model.ts";

/** The tokenizer as tokens were made with it: in half or not, or both, on one device. */
export class VerifyModels implements Disposable {
  #options: ModelOptions;
  #byHalf = new Map<boolean, Tokenizer>();

  /** With `half` all tokens are compared in half, whatever their files say. */
  constructor(options: ModelOptions) {
    this.#options = options;
  }

  /**
   * The tokenizer for tokens that say they were made in half, or do not; loaded when it is first asked for.
   * Where the adapter has no half, that in float32.
   */
  async get(wasHalf: boolean): Promise<Tokenizer> {
    const half = wasHalf || this.#options.half === true;
    const tokenizer = this.#byHalf.get(half) ?? await this.#load(half);
    this.#byHalf.set(half, tokenizer);
    return tokenizer;
  }

  async #load(half: boolean): Promise<Tokenizer> {
    const [first] = this.#byHalf.values();
    try {
      return await loadModel({ ...this.#options, half }, first?.gpu);
    } catch (error) {
      const isRefused = half && !this.#options.half && error instanceof GpuError;
      if (!isRefused) throw error;
      return await this.get(false);
    }
  }

  /** Frees them; the first one, whose device it is, last. */
  [Symbol.dispose](): void {
    for (const tokenizer of [...new Set(this.#byHalf.values())].reverse()) {
      tokenizer[Symbol.dispose]();
    }
  }
}
