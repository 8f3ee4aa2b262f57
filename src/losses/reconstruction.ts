import { abs, mean, square, sub } from "../ops/mod.ts";
import type { Tensor } from "../tensor/mod.ts";

/** How far a reconstruction is from its image; both are scalars. */
export interface ReconstructionLosses {
  /** The mean absolute difference. */
  readonly l1: Tensor;
  /** The mean squared difference. */
  readonly l2: Tensor;
}

/**
 * L1 and L2 of a reconstruction, both means over images in [-1, 1] of the same shape (SPEC section 5).
 *
 * @example
 * ```ts
 * import { Gpu, reconstructionLosses } from "@coda/tokenizer";
 * import { full } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const { l1, l2 } = reconstructionLosses(full(gpu, [1, 8, 8, 3], 0.5), full(gpu, [1, 8, 8, 3], 0));
 * console.assert(await l1.item() === 0.5 && await l2.item() === 0.25);
 * ```
 */
export function reconstructionLosses(found: Tensor, image: Tensor): ReconstructionLosses {
  using scope = found.gpu.scope();
  const difference = sub(found, image);
  return {
    l1: scope.keep(mean(abs(difference))),
    l2: scope.keep(mean(square(difference))),
  };
}
