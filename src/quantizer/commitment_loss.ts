import { affine, mul, square, sub, sum } from "../ops/mod.ts";
import { noGrad, record, type Tensor } from "../tensor/mod.ts";

/**
 * The loss of codes that are chosen by distance (van den Oord et al. 2017):
 * `mean((f̂ − sg(f))²) + β·mean((sg(f̂) − f)²)`, whose first term moves the codes and whose second
 * commits the latent to them. One difference serves both and their gradients.
 *
 * @param fHat f̂, of the shape of `f`.
 * @returns A scalar.
 */
export function commitmentLoss(fHat: Tensor, f: Tensor, beta: number): Tensor {
  using scope = f.gpu.scope();
  const difference = noGrad(() => sub(fHat, f));
  return scope.keep(record("commitmentLoss", {
    inputs: [fHat, f],
    output: noGrad(() => affine(sum(square(difference)), (1 + beta) / f.size, 0)),
    saved: [difference],
    backward: (dy, [difference]) => {
      const slope = mul(difference, affine(dy, 2 / difference.size, 0));
      return [slope, affine(slope, -beta, 0)];
    },
  }));
}
