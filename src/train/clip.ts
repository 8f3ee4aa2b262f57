import { defineKernel, gridFor } from "../gpu/mod.ts";
import { empty, type Tensor } from "../tensor/mod.ts";
import { blockGroups, countBlocks, NO_GRADIENTS } from "./blocks.ts";

const kernel = defineKernel("gradients");

/** The norm of all gradients together and what to multiply them by. */
export interface Clip {
  /** ‖g‖ over every element of every gradient; a scalar. */
  readonly norm: Tensor;
  /** min(1, max / (‖g‖ + 1e-6)); a scalar. Negative where a {@link Guard} lets nothing move. */
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
  using scope = gradients[0].gpu.scope();
  const { norm, coefficient } = clipOf(blockSquares(gradients), maxNorm);
  return { norm: scope.keep(norm), coefficient: scope.keep(coefficient) };
}

/** The sum of squares of each block of the gradients; see {@link countBlocks}. */
export function blockSquares(gradients: readonly Tensor[]): Tensor {
  const { gpu } = gradients[0];
  const count = countBlocks(gradients);
  const partial = empty(gpu, [count]);
  for (const { bind, params, blocks } of blockGroups(gradients)) {
    gpu.run(kernel, "squares", {
      bind: { ...bind, partial: partial.storage },
      params: { ...params, count, max_norm: 0 },
      grid: gridFor(blocks, 1),
    });
  }
  return partial;
}

/** What {@link clipCoefficient} gives, from the sums of squares of its gradients' blocks. */
export function clipOf(squares: Tensor, maxNorm: number): Clip {
  const { gpu } = squares;
  const clip = { norm: empty(gpu, []), coefficient: empty(gpu, []) };
  gpu.run(kernel, "finish", {
    bind: {
      sums: squares.storage,
      norm: clip.norm.storage,
      coefficient: clip.coefficient.storage,
    },
    params: { ...NO_GRADIENTS, count: squares.size, max_norm: maxNorm },
    grid: [1, 1, 1],
  });
  return clip;
}
