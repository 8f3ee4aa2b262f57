import { add, affine, mean, neg, relu } from "../ops/mod.ts";
import type { Tensor } from "../tensor/mod.ts";

/**
 * What the generator minimises by the discriminator's logits of its images: `−mean(D(x̂))` (SPEC section
 * 5). A scalar.
 *
 * @example
 * ```ts
 * import { generatorLoss, Gpu } from "@coda/tokenizer";
 * import { full } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * console.assert(await generatorLoss(full(gpu, [2, 3], 0.5)).item() === -0.5);
 * ```
 */
export function generatorLoss(fake: Tensor): Tensor {
  using scope = fake.gpu.scope();
  return scope.keep(neg(mean(fake)));
}

/**
 * The hinge loss of a discriminator, `0.5 · (mean relu(1 − D(x)) + mean relu(1 + D(x̂)))` (SPEC section
 * 5), from its logits of images and of what was generated. A scalar.
 *
 * @example
 * ```ts
 * import { discriminatorLoss, Gpu } from "@coda/tokenizer";
 * import { full } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const [real, fake] = [full(gpu, [2, 3], 0.5), full(gpu, [2, 3], -2)];
 * console.assert(await discriminatorLoss(real, fake).item() === 0.25);
 * ```
 */
export function discriminatorLoss(real: Tensor, fake: Tensor): Tensor {
  using scope = real.gpu.scope();
  const onReal = mean(relu(affine(real, -1, 1)));
  const onFake = mean(relu(affine(fake, 1, 1)));
  return scope.keep(affine(add(onReal, onFake), 0.5, 0));
}
