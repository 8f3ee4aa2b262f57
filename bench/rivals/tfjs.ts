import { type Library, serve } from "./serve.ts";
import { operands, type Work } from "./work.ts";

/** The part of @tensorflow/tfjs-core that is measured. */
interface Tfjs {
  setBackend(name: string): Promise<boolean>;
  backend(): WebGPUBackend;
  tensor(values: Float32Array, shape: number[]): TfTensor;
  matMul(a: TfTensor, b: TfTensor): TfTensor;
  conv2d(x: TfTensor, filter: TfTensor, strides: number, pad: "same"): TfTensor;
  softmax(logits: TfTensor): TfTensor;
}

/** Internals of tfjs-backend-webgpu: the only way to wait without reading a result. */
interface WebGPUBackend {
  queue: GPUQueue;
  commandEncoder: GPUCommandEncoder | null;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

interface TfTensor {
  data(): Promise<Float32Array>;
  dispose(): void;
}

const version = "4.22.0";

async function load(): Promise<Library> {
  const core = `npm:@tensorflow/tfjs-core@${version}`;
  const webgpu = `npm:@tensorflow/tfjs-backend-webgpu@${version}`;
  const tf: Tfjs = await import(core);
  await import(webgpu);
  if (!await tf.setBackend("webgpu")) throw new Error("tfjs has no WebGPU backend here");
  return {
    adapter: null,
    prepare(work) {
      const [a, b] = operands(work).map(({ values, shape }) => tf.tensor(values, shape));
      const compute = operation(tf, work, a, b);
      return {
        call: () => compute().dispose(),
        async finish() {
          const backend = tf.backend();
          if (backend.commandEncoder) { // null where the last batch was just full
            backend.endComputePassEncoder();
            backend.submitQueue();
          }
          await backend.queue.onSubmittedWorkDone();
        },
        async result() {
          const y = compute();
          const values = await y.data();
          y.dispose();
          return values;
        },
      };
    },
  };
}

function operation(tf: Tfjs, work: Work, a: TfTensor, b: TfTensor): () => TfTensor {
  switch (work.op) {
    case "matmul":
      return () => tf.matMul(a, b);
    case "conv2d":
      return () => tf.conv2d(a, b, 1, "same");
    case "softmax":
      return () => tf.softmax(a);
  }
}

await serve(load);
