import { onnxModel, type OnnxNode } from "./onnx.ts";
import { type Library, type Prepared, serve } from "./serve.ts";
import { type Operand, operands, type Work } from "./work.ts";

/** The part of onnxruntime-web that is measured. */
interface Ort {
  env: { wasm: { numThreads: number }; webgpu: { device: GPUDevice | Promise<GPUDevice> } };
  InferenceSession: {
    create(model: Uint8Array, options: Record<string, unknown>): Promise<OrtSession>;
  };
  Tensor: {
    fromGpuBuffer(buffer: GPUBuffer, options: { dataType: "float32"; dims: number[] }): OrtTensor;
  };
}

interface OrtSession {
  run(feeds: Record<string, OrtTensor>): Promise<Record<string, OrtTensor>>;
}

interface OrtTensor {
  getData(): Promise<Float32Array>;
  dispose(): void;
}

const version = "1.30.0";

async function load(): Promise<Library> {
  const specifier = `npm:onnxruntime-web@${version}/webgpu`;
  const ort: Ort = await import(specifier);
  ort.env.wasm.numThreads = 1; // the CPU only sends work to the GPU
  return { adapter: null, prepare: (work) => prepare(ort, work) };
}

/** The first operand is a buffer on the GPU, the second, as in any model, part of the model. */
async function prepare(ort: Ort, work: Work): Promise<Prepared> {
  const [x, w] = operands(work);
  const session = await ort.InferenceSession.create(modelOf(work, x, w), {
    executionProviders: [{ name: "webgpu", preferredLayout: "NHWC" }], // the faster by far
    preferredOutputLocation: "gpu-buffer",
  });
  const device = await ort.env.webgpu.device;
  const feeds = { x: ort.Tensor.fromGpuBuffer(upload(device, x.values), tensorOf(x)) };
  let results: OrtTensor[] = [];
  return {
    async call() {
      results.push((await session.run(feeds)).y);
    },
    async finish() {
      await device.queue.onSubmittedWorkDone();
      for (const result of results) result.dispose();
      results = [];
    },
    async result() {
      const { y } = await session.run(feeds);
      const values = await y.getData();
      y.dispose();
      return values;
    },
  };
}

function tensorOf({ shape }: Operand): { dataType: "float32"; dims: number[] } {
  return { dataType: "float32", dims: shape };
}

function upload(device: GPUDevice, values: Float32Array): GPUBuffer {
  const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const usage = STORAGE | COPY_SRC | COPY_DST;
  const buffer = device.createBuffer({ size: values.byteLength, usage });
  device.queue.writeBuffer(buffer, 0, values.buffer as ArrayBuffer);
  return buffer;
}

function modelOf(work: Work, x: Operand, w: Operand | undefined): Uint8Array {
  const graph = { inputs: { x: x.shape }, outputs: { y: resultShape(work) } };
  if (work.op === "conv2d") return onnxModel({ ...graph, ...convolution(w!) });
  const [op, inputs, weights] = work.op === "matmul"
    ? ["MatMul", ["x", "w"], { w: w! }] as const
    : ["Softmax", ["x"], {}] as const;
  return onnxModel({ ...graph, nodes: [{ op, inputs, output: "y" }], weights });
}

/**
 * ONNX convolves NCHW images only. The provider computes in NHWC and takes the two transposes out
 * against its own, so that the graph is a convolution of NHWC images and nothing else.
 */
function convolution(w: Operand): { nodes: OnnxNode[]; weights: Record<string, Operand> } {
  const nodes: OnnxNode[] = [
    { op: "Transpose", inputs: ["x"], output: "a", attributes: { perm: [0, 3, 1, 2] } },
    { op: "Conv", inputs: ["a", "w"], output: "b", attributes: { pads: [1, 1, 1, 1] } },
    { op: "Transpose", inputs: ["b"], output: "y", attributes: { perm: [0, 2, 3, 1] } },
  ];
  return { nodes, weights: { w: outputsFirst(w) } };
}

/** [kH, kW, Cin, Cout] to [Cout, Cin, kH, kW]. */
function outputsFirst({ values, shape: [kH, kW, cin, cout] }: Operand): Operand {
  const found = new Float32Array(values.length);
  let from = 0;
  for (let tap = 0; tap < kH * kW; tap++) {
    for (let i = 0; i < cin; i++) {
      for (let o = 0; o < cout; o++) found[(o * cin + i) * kH * kW + tap] = values[from++];
    }
  }
  return { shape: [cout, cin, kH, kW], values: found };
}

function resultShape(work: Work): number[] {
  switch (work.op) {
    case "matmul":
      return [work.size, work.size];
    case "conv2d":
      return [1, work.size, work.size, work.channels];
    case "softmax":
      return [work.rows, work.columns];
  }
}

await serve(load);
