import { type Library, serve } from "./serve.ts";
import { EPS, GROUPS, operands, type Work } from "./work.ts";

/** The part of @tensorflow/tfjs-core that is measured. */
interface Tfjs {
  setBackend(name: string): Promise<boolean>;
  backend(): WebGPUBackend;
  tensor(values: Float32Array, shape: number[]): TfTensor;
  engine(): { runKernel(name: string, inputs: unknown, attributes: unknown): TfTensor };
  tidy(work: () => TfTensor): TfTensor;
  matMul(a: TfTensor, b: TfTensor, transposeA?: boolean, transposeB?: boolean): TfTensor;
  conv2d(x: TfTensor, filter: TfTensor, strides: number, pad: "same"): TfTensor;
  softmax(logits: TfTensor): TfTensor;
  moments(x: TfTensor, axes: number[], keepDims: boolean): { mean: TfTensor; variance: TfTensor };
  reshape(x: TfTensor, shape: number[]): TfTensor;
  rsqrt(x: TfTensor): TfTensor;
  sigmoid(x: TfTensor): TfTensor;
  add(a: TfTensor, b: TfTensor | number): TfTensor;
  sub(a: TfTensor, b: TfTensor): TfTensor;
  mul(a: TfTensor, b: TfTensor | number): TfTensor;
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
      const inputs = operands(work).map(({ values, shape }) => tf.tensor(values, shape));
      const compute = operation(tf, work, inputs);
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

function operation(tf: Tfjs, work: Work, [a, b, c]: TfTensor[]): () => TfTensor {
  switch (work.op) {
    case "matmul":
      return () => tf.matMul(a, b);
    case "conv2d":
      return () => tf.conv2d(a, b, 1, "same");
    case "weightGradient": {
      const attributes = {
        filterShape: [3, 3, work.channels, work.channels],
        strides: [1, 1],
        pad: "same",
        dataFormat: "NHWC",
      };
      return () => tf.engine().runKernel("Conv2DBackpropFilter", { x: a, dy: b }, attributes);
    }
    case "groupNorm":
      return () => tf.tidy(() => groupNorm(tf, a, b, c, work));
    case "attention": {
      const scale = 1 / Math.sqrt(work.channels);
      return () =>
        tf.tidy(() => tf.matMul(tf.softmax(tf.mul(tf.matMul(a, b, false, true), scale)), c));
    }
    case "softmax":
      return () => tf.softmax(a);
  }
}

/** Group norm and SiLU in the fewest passes: tfjs has no such operation. */
function groupNorm(
  tf: Tfjs,
  x: TfTensor,
  gamma: TfTensor,
  beta: TfTensor,
  { size, channels }: { size: number; channels: number },
): TfTensor {
  const each = [1, 1, GROUPS, channels / GROUPS];
  const grouped = tf.reshape(x, [1, size * size, GROUPS, channels / GROUPS]);
  const { mean, variance } = tf.moments(grouped, [1, 3], true);
  const factor = tf.mul(tf.reshape(gamma, each), tf.rsqrt(tf.add(variance, EPS)));
  const shift = tf.sub(tf.reshape(beta, each), tf.mul(mean, factor));
  const z = tf.add(tf.mul(grouped, factor), shift);
  return tf.reshape(tf.mul(z, tf.sigmoid(z)), [1, size, size, channels]);
}

await serve(load);
