import { share, type Tensor } from "../tensor/mod.ts";

/**
 * The same values as a constant: no gradient flows through. The bytes are shared.
 *
 * What was recorded behind x stays in memory until another path to it is walked or it is released;
 * where there is no other path, compute x under `noGrad` instead.
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
