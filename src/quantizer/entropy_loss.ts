import { affine, exp, log, logSoftmax, mean, mul, sub, sum } from "../ops/mod.ts";
import type { Tensor } from "../tensor/mod.ts";

/** τ, the temperature at which the entropies are taken. */
export const TEMPERATURE = 0.01;

/** ε, added to p̄ under the logarithm. */
export const EPSILON = 1e-5;

/**
 * The entropy loss of one scale (SPEC section 3): how unsure each token is, less how evenly the tokens
 * together use the codebook. With P = softmax(l/τ) it is
 * `mean_t H(P_t) − H(mean_t P)`, where the second entropy takes its logarithm of p̄ + ε.
 *
 * @param logits [T, V].
 * @returns A scalar.
 */
export function entropyLoss(
  logits: Tensor,
  { temperature = TEMPERATURE, epsilon = EPSILON }: {
    temperature?: number;
    epsilon?: number;
  } = {},
): Tensor {
  using scope = logits.gpu.scope();
  const logP = logSoftmax(affine(logits, 1 / temperature, 0));
  const p = exp(logP);
  const negativeSample = affine(sum(mul(p, logP)), 1 / logits.shape[0], 0);
  const average = mean(p, { axes: [0] });
  const negativeMean = sum(mul(average, log(affine(average, 1, epsilon))));
  return scope.keep(sub(negativeMean, negativeSample));
}
