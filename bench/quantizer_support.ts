import type { Gpu } from "../src/gpu/mod.ts";
import { add, affine, mean } from "../src/ops/mod.ts";
import { CodaQuantizer } from "../src/quantizer/mod.ts";
import { gradients, Random, type Tensor } from "../src/tensor/mod.ts";

/** The paper's quantizer with a codebook of this size, at the start of its training. */
export function benchQuantizer(
  gpu: Gpu,
  codebookSize: number,
  patchSizes: readonly number[],
): CodaQuantizer {
  const quantizer = new CodaQuantizer(gpu, {
    codebookSize,
    channels: 16,
    attentionDim: 32,
    patchSizes,
    norm: "rms",
    beta: 0.05,
  });
  quantizer.parameters.initialize(new Random(1));
  return quantizer;
}

/** Forward and backward of what training minimises, with a stand-in for the reconstruction. */
export function trainingPass(quantizer: CodaQuantizer, f: Tensor): void {
  const parameters = [...quantizer.parameters].map(({ tensor }) => tensor.requireGrad());
  const { fHat, vqLoss, entropyLoss } = quantizer.forward(f.requireGrad());
  gradients(add(add(mean(fHat), vqLoss), affine(entropyLoss, 0.05, 0)), [f, ...parameters]);
  for (const tensor of [f, ...parameters]) tensor.requireGrad(false);
}
