/**
 * The learning rate of step `step` (how many steps are done) of `total`: half a cosine from `peak` to
 * 0, without warm-up (SPEC section 6).
 */
export function cosineRate(peak: number, step: number, total: number): number {
  return 0.5 * peak * (1 + Math.cos((Math.PI * step) / total));
}
