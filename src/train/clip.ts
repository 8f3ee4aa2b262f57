import { defineKernel, gridFor } from "../gpu/mod.ts";
import { empty, type Tensor } from "../tensor/mod.ts";

const kernel = defineKernel("gradient_norm");

/** Elements that one workgroup of the kernel adds up. */
const BLOCK = 1024;

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
  const blocks = gradients.map(({ size }) => Math.ceil(size / BLOCK));
  const count = blocks.reduce((sum, n) => sum + n, 0);
  const partial = empty(gpu, [count]);
  let offset = 0;
  gradients.forEach(({ storage, size }, i) => {
    gpu.run(kernel, "squares", {
      bind: { x: storage, partial: partial.storage },
      params: { size, offset, count, max_norm: maxNorm },
      grid: gridFor(size, BLOCK),
    });
    offset += blocks[i];
  });
  const clip = { norm: empty(gpu, []), coefficient: empty(gpu, []) };
  gpu.run(kernel, "finish", {
    bind: {
      sums: partial.storage,
      norm: clip.norm.storage,
      coefficient: clip.coefficient.storage,
    },
    params: { size: 0, offset: 0, count, max_norm: maxNorm },
    grid: [1, 1, 1],
  });
  return { norm: scope.keep(clip.norm), coefficient: scope.keep(clip.coefficient) };
}
