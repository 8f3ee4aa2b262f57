import type { Gpu, Storage } from "../src/gpu/mod.ts";
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

/**
 * Runs `work` and returns the most bytes that were live at any moment over those before, without those of
 * storages of the `own` sizes.
 */
export async function peakBeyond(
  gpu: Gpu,
  own: readonly number[],
  work: () => Promise<void>,
): Promise<number> {
  await gpu.sync();
  const before = gpu.memory.live;
  const held = new Set<Storage>();
  let most = 0;
  const allocate = gpu.allocate;
  gpu.allocate = (byteLength, options) => {
    const storage = allocate.call(gpu, byteLength, options);
    for (const other of held) if (other.references === 0) held.delete(other);
    if (own.includes(byteLength)) held.add(storage);
    const bytes = [...held].reduce((total, other) => total + other.byteLength, 0);
    most = Math.max(most, gpu.memory.live - before - bytes);
    return storage;
  };
  try {
    await work();
  } finally {
    gpu.allocate = allocate;
  }
  return most;
}
