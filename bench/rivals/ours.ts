import { attention, conv2d, groupNorm, matmul, softmax } from "../../src/ops/mod.ts";
import { fromArray, gradients, type Tensor, zeros } from "../../src/tensor/mod.ts";
import { tunedGpu } from "../support.ts";
import { type Library, serve } from "./serve.ts";
import { EPS, GROUPS, operands, type Work } from "./work.ts";

async function load(): Promise<Library> {
  const gpu = await tunedGpu();
  return {
    adapter: gpu.adapter.description,
    prepare(work) {
      const inputs = operands(work).map(({ values, shape }) => fromArray(gpu, values, shape));
      const compute = operation(work, inputs);
      return {
        call() {
          using _scope = gpu.scope();
          compute();
        },
        finish: () => gpu.sync(),
        result() {
          using _scope = gpu.scope();
          return compute().readF32();
        },
      };
    },
  };
}

function operation(work: Work, [a, b, c]: Tensor[]): () => Tensor {
  switch (work.op) {
    case "matmul":
      return () => matmul(a, b);
    case "conv2d":
      return () => conv2d(a, b, undefined, { padding: 1 });
    case "weightGradient": {
      const w = zeros(a.gpu, [3, 3, work.channels, work.channels]).requireGrad();
      const y = conv2d(a, w, undefined, { padding: 1 });
      return () => gradients(y, [w], { seed: b, retain: true })[0];
    }
    case "groupNorm":
      return () => groupNorm(a, b, c, { groups: GROUPS, eps: EPS, silu: true });
    case "attention":
      return () => attention(a, b, c);
    case "softmax":
      return () => softmax(a);
  }
}

await serve(load);
