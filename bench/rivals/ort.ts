import { channelsFirst, channelsLast, outputsFirst } from "./layout.ts";
import { type OnnxGraph, onnxModel, type OnnxNode } from "./onnx.ts";
import { type Library, type Prepared, serve } from "./serve.ts";
import { EPS, GROUPS, type Operand, operands, type Work } from "./work.ts";

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

/** Gradients are no inference. */
type Inference = Exclude<Work, { op: "weightGradient" }>;

const version = "1.30.0";

async function load(): Promise<Library> {
  const specifier = `npm:onnxruntime-web@${version}/webgpu`;
  const ort: Ort = await import(specifier);
  ort.env.wasm.numThreads = 1; // the CPU only sends work to the GPU
  return { adapter: null, prepare: (work) => prepare(ort, work) };
}

/** What changes from run to run is in buffers on the GPU, weights are, as in any model, part of the model. */
async function prepare(ort: Ort, work: Work): Promise<Prepared | null> {
  if (work.op === "weightGradient") return null; // it has no training
  const { given, model } = graphOf(work);
  const session = await ort.InferenceSession.create(model, {
    executionProviders: [{ name: "webgpu", preferredLayout: "NHWC" }], // the faster by far
    preferredOutputLocation: "gpu-buffer",
  });
  const device = await ort.env.webgpu.device;
  const feeds = Object.fromEntries(
    Object.entries(given).map(([name, operand]) => [
      name,
      ort.Tensor.fromGpuBuffer(upload(device, operand.values), tensorOf(operand)),
    ]),
  );
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
      return work.op === "groupNorm" ? channelsLast(values, work.channels) : values;
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

/** The operands that are given for each run, and a model of the rest. */
function graphOf(work: Inference): { given: Record<string, Operand>; model: Uint8Array } {
  const { given, ...graph } = partsOf(work);
  const shapes = Object.entries(given).map(([name, { shape }]) => [name, shape]);
  const model = onnxModel({
    inputs: Object.fromEntries(shapes),
    outputs: { y: resultShape(work) },
    ...graph,
  });
  return { given, model };
}

function partsOf(
  work: Inference,
): { given: Record<string, Operand> } & Pick<OnnxGraph, "nodes" | "weights" | "integers"> {
  const [x, w, v] = operands(work);
  switch (work.op) {
    case "matmul":
      return {
        given: { x },
        nodes: [{ op: "MatMul", inputs: ["x", "w"], output: "y" }],
        weights: { w },
      };
    case "conv2d":
      return { given: { x }, ...convolution(w) };
    case "groupNorm":
      return { given: { x: channelsFirst(x) }, ...groupNorm(work, w, v) };
    case "attention": {
      const inputs = ["q", "k", "v"];
      const domain = "com.microsoft";
      const attributes = { num_heads: 1 };
      const node = { op: "MultiHeadAttention", domain, inputs, output: "y", attributes };
      return { given: { q: x, k: w, v }, nodes: [node], weights: {} };
    }
    case "softmax":
      return {
        given: { x },
        nodes: [{ op: "Softmax", inputs: ["x"], output: "y" }],
        weights: {},
      };
  }
}

/** Group norm and SiLU of an NCHW image as models from PyTorch have them. */
function groupNorm(
  { size, channels }: { size: number; channels: number },
  gamma: Operand,
  beta: Operand,
): Pick<OnnxGraph, "nodes" | "weights" | "integers"> {
  const perChannel = { shape: [channels, 1, 1] };
  const perGroup = (value: number) => ({
    shape: [GROUPS],
    values: new Float32Array(GROUPS).fill(value),
  });
  const nodes: OnnxNode[] = [
    { op: "Reshape", inputs: ["x", "grouped"], output: "a" },
    {
      op: "InstanceNormalization",
      inputs: ["a", "ones", "zeros"],
      output: "b",
      floats: { epsilon: EPS },
    },
    { op: "Reshape", inputs: ["b", "whole"], output: "c" },
    { op: "Mul", inputs: ["c", "gamma"], output: "d" },
    { op: "Add", inputs: ["d", "beta"], output: "z" },
    { op: "Sigmoid", inputs: ["z"], output: "s" },
    { op: "Mul", inputs: ["z", "s"], output: "y" },
  ];
  return {
    nodes,
    weights: {
      gamma: { ...gamma, ...perChannel },
      beta: { ...beta, ...perChannel },
      ones: perGroup(1),
      zeros: perGroup(0),
    },
    integers: { grouped: [1, GROUPS, -1], whole: [1, channels, size, size] },
  };
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

function resultShape(work: Inference): number[] {
  switch (work.op) {
    case "matmul":
      return [work.size, work.size];
    case "conv2d":
      return [1, work.size, work.size, work.channels];
    case "groupNorm":
      return [1, work.channels, work.size, work.size];
    case "attention":
      return [1, work.tokens, work.channels];
    case "softmax":
      return [work.rows, work.columns];
  }
}

await serve(load);
