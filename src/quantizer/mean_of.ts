import { add, affine } from "../ops/mod.ts";
import type { Tensor } from "../tensor/mod.ts";

/** The mean of tensors of one shape. */
export function meanOf(tensors: readonly Tensor[]): Tensor {
  return affine(tensors.reduce((sum, next) => add(sum, next)), 1 / tensors.length, 0);
}
