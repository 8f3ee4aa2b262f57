import { conv2d, matmul, softmax } from "../../src/ops/mod.ts";
import { fromArray, type Tensor } from "../../src/tensor/mod.ts";
import { tunedGpu } from "../support.ts";
import { type Library, serve } from "./serve.ts";
import { operands, type Work } from "./work.ts";

async function load(): Promise<Library> {
  const gpu = await tunedGpu();
  return {
    adapter: gpu.adapter.description,
    prepare(work) {
      const [a, b] = operands(work).map(({ values, shape }) => fromArray(gpu, values, shape));
      const compute = operation(work, a, b);
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

function operation(work: Work, a: Tensor, b: Tensor): () => Tensor {
  switch (work.op) {
    case "matmul":
      return () => matmul(a, b);
    case "conv2d":
      return () => conv2d(a, b, undefined, { padding: 1 });
    case "softmax":
      return () => softmax(a);
  }
}

await serve(load);
