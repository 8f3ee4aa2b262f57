import { share, type Tensor } from "../tensor/mod.ts";

/**
 * The same values as a constant: no gradient flows through. The bytes are shared.
 *
 * @example
 * ```ts
 * import { add, fromArray, Gpu, gradients, stopGradient } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [3], [1]).requireGrad();
 * const [dx] = gradients(add(x, stopGradient(x)), [x]);
 * console.log(await dx.read()); // 1
 * ```
 */
export function stopGradient(x: Tensor): Tensor {
  const y = share(x);
  x.gpu.track(y);
  return y;
}
