import { add, affine, exp, mean, square, sub } from "../ops/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import type { Posterior } from "../vae/mod.ts";

/**
 * The divergence of a latent's posterior from a standard normal distribution,
 * `½ Σ (μ² + σ² − 1 − log σ²)` over an image's latent, the mean over images: a scalar (Kingma & Welling
 * 2014).
 *
 * @example
 * ```ts
 * import { Gpu, klLoss } from "@coda/tokenizer";
 * import { full, zeros } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const shape = [2, 1, 1, 3];
 * const loss = klLoss({ mean: full(gpu, shape, 2), logVariance: zeros(gpu, shape) });
 * console.assert(await loss.item() === 6); // three channels of ½ · 2²
 * ```
 */
export function klLoss({ mean: mu, logVariance }: Posterior): Tensor {
  using scope = mu.gpu.scope();
  const variance = affine(exp(logVariance), 1, -1);
  const each = add(square(mu), sub(variance, logVariance));
  return scope.keep(affine(mean(each), mu.size / mu.shape[0] / 2, 0));
}
