/**
 * The learning rate of step `step` (how many steps are done) of `total`: half a cosine from `peak` to
 * 0, without warm-up (SPEC section 6).
 *
 * @example
 * ```ts
 * import { cosineRate } from "@coda/tokenizer";
 *
 * console.assert(cosineRate(5e-4, 0, 1000) === 5e-4);
 * console.assert(cosineRate(5e-4, 1000, 1000) === 0);
 * ```
 */
export function cosineRate(peak: number, step: number, total: number): number {
  return 0.5 * peak * (1 + Math.cos((Math.PI * step) / total));
}
