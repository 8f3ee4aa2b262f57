import { add, affine, mean, square, stopGradient, sub } from "../../src/ops/mod.ts";
import { vqLoss } from "../../src/quantizer/vq_loss.ts";
import { fromArray, gradients, type Tensor } from "../../src/tensor/mod.ts";
import { assertClose } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import { toF32 } from "../support/reference.ts";

const BETA = 0.05;
const SHAPE = [2, 3, 5, 4];

/** The three terms as SPEC section 3 writes them. */
function written(zHat: Tensor, hard: Tensor, r: Tensor): Tensor {
  const meanSquare = (a: Tensor, b: Tensor) => mean(square(sub(a, b)));
  return add(
    add(meanSquare(zHat, r), meanSquare(stopGradient(hard), r)),
    affine(meanSquare(hard, stopGradient(r)), BETA, 0),
  );
}

gpuTest("L_q and its gradients are those of the three terms", async (gpu) => {
  const random = new Random(3);
  const [codes, residual] = [random.normal(SHAPE), random.normal(SHAPE)].map(toF32);
  const numbersOf = (loss: (zHat: Tensor, hard: Tensor, r: Tensor) => Tensor) =>
    flat(gpu, () => {
      using _scope = gpu.scope();
      const leaves = [codes, codes, residual].map((values) =>
        fromArray(gpu, values, SHAPE).requireGrad()
      );
      const y = loss(leaves[0], leaves[1], leaves[2]);
      const found = gradients(affine(y, 3, 0), leaves);
      return Promise.all([y, ...found].map((tensor) => tensor.readF32()));
    });
  const expected = await numbersOf(written);
  const found = await numbersOf((zHat, hard, r) => vqLoss(zHat, hard, r, BETA));
  ["L_q", "ẑ", "ẑ₂", "r"].forEach((name, i) =>
    assertClose(found[i], expected[i], { relative: 1e-6, name })
  );
});
