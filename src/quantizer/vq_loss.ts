import { affine, mul, square, sub, sum } from "../ops/mod.ts";
import { noGrad, record, type Tensor } from "../tensor/mod.ts";

/**
 * L_q of one scale (SPEC section 3): `mean((ẑ − r)²) + mean((sg(ẑ₂) − r)²) + β·mean((ẑ₂ − sg(r))²)`.
 * ẑ and ẑ₂ are the same numbers, so that one difference serves the three terms and their gradients.
 *
 * @param zHat ẑ, of the shape of `hard` and `r`.
 * @param hard ẑ₂.
 * @param r What they stand for.
 * @returns A scalar.
 */
export function vqLoss(zHat: Tensor, hard: Tensor, r: Tensor, beta: number): Tensor {
  using scope = r.gpu.scope();
  const difference = noGrad(() => sub(zHat, r));
  return scope.keep(record("vqLoss", {
    inputs: [zHat, hard, r],
    output: noGrad(() => affine(sum(square(difference)), (2 + beta) / r.size, 0)),
    saved: [difference],
    backward: (dy, [difference]) => {
      const slope = mul(difference, affine(dy, 2 / difference.size, 0));
      return [slope, affine(slope, beta, 0), affine(slope, -2, 0)];
    },
  }));
}
