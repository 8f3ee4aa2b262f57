import { defineKernel, gridFor } from "../gpu/mod.ts";
import { empty, type Tensor } from "../tensor/mod.ts";
import { blockGroups, countBlocks, NO_GRADIENTS } from "./blocks.ts";

const kernel = defineKernel("gradients");

/** The norm of all gradients together and what to multiply them by. */
export interface Clip {
  /** ‖g‖ over every element of every gradient; a scalar. */
  readonly norm: Tensor;
  /** min(1, max / (‖g‖ + 1e-6)); a scalar. */
  readonly coefficient: Tensor;
}

/**
 * PyTorch's `clip_grad_norm_` up to the multiplication, which the optimizer does: all on the GPU, in
 * an order that depends on the gradients' sizes alone.
 *
 * @throws {RangeError} where there is no gradient or `maxNorm` is not above 0.
 *
 * @example
 * ```ts
 * import { clipCoefficient, Gpu } from "@coda/tokenizer";
 * import { fromArray } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const { norm, coefficient } = clipCoefficient([fromArray(gpu, [3, -4], [2])], 1);
 * console.assert(await norm.item() === 5);
 * console.assert(Math.abs(await coefficient.item() - 0.2) < 1e-6);
 * ```
 */
export function clipCoefficient(gradients: readonly Tensor[], maxNorm: number): Clip {
  if (gradients.length === 0) throw new RangeError("clipCoefficient: there are no gradients");
  if (!(maxNorm > 0)) throw new RangeError(`clipCoefficient: ${maxNorm} is no norm to clip at`);
  const { gpu } = gradients[0];
  using scope = gpu.scope();
  const shared = { count: countBlocks(gradients), max_norm: maxNorm };
  const partial = empty(gpu, [shared.count]);
  for (const { bind, params, blocks } of blockGroups(gradients)) {
    gpu.run(kernel, "squares", {
      bind: { ...bind, partial: partial.storage },
      params: { ...params, ...shared },
      grid: gridFor(blocks, 1),
    });
  }
  const clip = { norm: empty(gpu, []), coefficient: empty(gpu, []) };
  gpu.run(kernel, "finish", {
    bind: {
      sums: partial.storage,
      norm: clip.norm.storage,
      coefficient: clip.coefficient.storage,
    },
    params: { ...NO_GRADIENTS, ...shared },
    grid: [1, 1, 1],
  });
  return { norm: scope.keep(clip.norm), coefficient: scope.keep(clip.coefficient) };
}
