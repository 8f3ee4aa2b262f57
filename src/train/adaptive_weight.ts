import { affine, clamp, div, sqrt, square, sum } from "../ops/mod.ts";
import { gradients, type Tensor } from "../tensor/mod.ts";

/** The largest adaptive weight. */
const MAX = 1e4;
/** What is added to the norm that is divided by. */
const EPS = 1e-6;

/** Gradients with respect to a reconstruction. */
export interface Cotangents {
  /** Of the losses of pixels and of how they look. */
  readonly pixels: Tensor;
  /** Of the adversarial loss. */
  readonly adversarial: Tensor;
}

/**
 * By what the adversarial loss is multiplied to pull as hard at the last layer as the other losses of a
 * reconstruction do: `‖∇pixels‖ / (‖∇adversarial‖ + 1e-6)`, at most 10⁴ (Esser et al. 2021). A scalar; the
 * reconstruction's graph is kept.
 */
export function adaptiveWeight(
  found: Tensor,
  lastLayer: Tensor,
  { pixels, adversarial }: Cotangents,
): Tensor {
  using scope = found.gpu.scope();
  const [ofPixels, ofAdversarial] = [pixels, adversarial].map((seed) => {
    const [gradient] = gradients(found, [lastLayer], { seed, retain: true });
    return sqrt(sum(square(gradient)));
  });
  const ratio = div(ofPixels, affine(ofAdversarial, 1, EPS));
  return scope.keep(clamp(ratio, { min: 0, max: MAX }));
}
