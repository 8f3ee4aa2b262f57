import { defineKernel, gridFor } from "../gpu/mod.ts";
import type { Parameters } from "../nn/mod.ts";
import { zerosLike } from "./like.ts";

const kernel = defineKernel("ema");

/**
 * How much of the average stays at step `step` (how many steps are done) of `total`: 0, a plain copy,
 * for the first 40 % of the run (the recipe's "epoch 4 of 10"), then
 * `min(decay, (⌊s/2⌋ + 1) / (⌊s/2⌋ + 10))` (SPEC section 6).
 *
 * @example
 * ```ts
 * import { emaRatio } from "@coda/tokenizer";
 *
 * console.assert(emaRatio(399, 1000) === 0);
 * console.assert(emaRatio(400, 1000) === 201 / 210);
 * ```
 */
export function emaRatio(
  step: number,
  total: number,
  { decay = 0.9999, copyUntil = 0.4 }: { decay?: number; copyUntil?: number } = {},
): number {
  if (step < copyUntil * total) return 0;
  const half = Math.floor(step / 2);
  return Math.min(decay, (half + 1) / (half + 10));
}

/**
 * A moving average of parameters: what a finished model is made of. {@link AdamW.step} updates it in
 * passing where it is given one.
 */
export class Ema implements Disposable {
  /** The averages, by parameter name. */
  readonly average: Parameters;
  #parameters: Parameters;

  /** Begins as a copy of the parameters, which have their values already. */
  constructor(parameters: Parameters) {
    this.#parameters = parameters;
    this.average = zerosLike(parameters);
    this.update(0);
  }

  /** `average ← ratio · average + (1 − ratio) · parameter`. */
  update(ratio: number): void {
    const { gpu } = this.#parameters;
    const pages = this.#parameters.pages();
    this.average.pages().forEach(({ storage, size }, i) => {
      if (ratio === 0) {
        gpu.copy(pages[i].storage, storage);
        return;
      }
      gpu.run(kernel, "update", {
        bind: { value: pages[i].storage, average: storage },
        params: { size, ratio, rest: 1 - ratio },
        grid: gridFor(size, 64),
      });
    });
  }

  /** Frees the averages; the parameters stay. */
  [Symbol.dispose](): void {
    this.average[Symbol.dispose]();
  }
}
