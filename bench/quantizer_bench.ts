import { type CodaQuantizer, PATCH_SIZES_F16 } from "../src/quantizer/mod.ts";
import { withPath } from "../src/quantizer/path.ts";
import type { Tensor } from "../src/tensor/mod.ts";
import { benchQuantizer, trainingPass } from "./quantizer_support.ts";
import { gpuBench, noise } from "./support.ts";

const WORK: Record<string, (quantizer: CodaQuantizer, f: Tensor) => void> = {
  "encode": (quantizer, f) => quantizer.encode(f),
  "forward and backward": trainingPass,
};

for (const codebookSize of [1024, 16384]) {
  for (const [name, work] of Object.entries(WORK)) {
    for (const path of ["composed", "streamed"] as const) {
      const group = `quantizer ${name}, V = ${codebookSize}, 680 tokens`;
      gpuBench({
        name: `${group}, ${path}`,
        group,
        baseline: path === "composed",
        calls: 1,
        setup: (gpu) => {
          const quantizer = benchQuantizer(gpu, codebookSize, PATCH_SIZES_F16);
          const f = noise(gpu, [1, 16, 16, 16]);
          return () => void withPath(path, () => work(quantizer, f));
        },
      });
    }
  }
}
