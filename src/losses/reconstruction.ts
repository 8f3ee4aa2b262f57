import { abs, mean, square, sub } from "../ops/mod.ts";
import type { Tensor } from "../tensor/mod.ts";

/** How far a reconstruction is from its image; both are scalars. */
export interface ReconstructionLosses {
  /** The mean absolute difference. */
  readonly l1: Tensor;
  /** The mean squared difference. */
  readonly l2: Tensor;
}

/** L1 and L2 of a reconstruction, both over images in [-1, 1] (SPEC section 5). */
export function reconstructionLosses(found: Tensor, image: Tensor): ReconstructionLosses {
  using scope = found.gpu.scope();
  const difference = sub(found, image);
  return {
    l1: scope.keep(mean(abs(difference))),
    l2: scope.keep(mean(square(difference))),
  };
}
