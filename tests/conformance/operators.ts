import type { Gpu } from "../../src/gpu/mod.ts";
import {
  add,
  area,
  attention,
  bicubic,
  conv2d,
  gelu,
  groupNorm,
  layerNorm,
  nearest,
  reshape,
} from "../../src/ops/mod.ts";
import { fromArray, full, gradients, type Tensor, zeros } from "../../src/tensor/mod.ts";
import { assertClose } from "../support/compare.ts";
import { gpuTest } from "../support/gpu.ts";
import { channelsLast, Golden } from "./golden.ts";

interface ResizeCase {
  tag: string;
  mode: string;
  in: number[];
  size: [number, number];
  input: string;
}

interface OpCase {
  tag: string;
  op: string;
}

interface OperatorsJson {
  interpolate: ResizeCase[];
  ops: OpCase[];
}

/** The largest relative errors allowed. */
const OUTPUT = 1e-4;
const GRADIENT = 1e-3;

const NAME = "interpolate_ops";

/** Resampling and the blocks' operations against the official code's. */
export function operators(goldens: string): void {
  const json: OperatorsJson = JSON.parse(Deno.readTextFileSync(`${goldens}/${NAME}.json`));
  for (const found of json.interpolate) {
    gpuTest(`${found.tag}: output and gradient equal the official ones`, async (gpu) => {
      using golden = await Golden.open(goldens, NAME);
      await checkResize(gpu, golden, found);
    });
  }
  for (const found of json.ops) {
    gpuTest(`${found.tag}: output and gradients equal the official ones`, async (gpu) => {
      using golden = await Golden.open(goldens, NAME);
      await checkOp(gpu, golden, found);
    });
  }
}

async function checkResize(gpu: Gpu, golden: Golden<unknown>, found: ResizeCase): Promise<void> {
  const { tag, mode, input, size: [height, width] } = found;
  const resize = { area, bicubic, nearest }[mode];
  if (!resize) throw new Error(`${tag}: there is no resampling mode "${mode}"`);
  using x = (await golden.image(gpu, input)).requireGrad();
  using w = await golden.image(gpu, `${tag}.w`);
  const pending = (() => {
    using _scope = gpu.scope();
    const y = resize(x, { height, width });
    return [y, ...gradients(y, [x], { seed: w })].map((tensor) => tensor.readF32());
  })();
  const [y, dx] = await Promise.all(pending);
  await golden.assertImage(y, `${tag}.out`, OUTPUT);
  await golden.assertImage(dx, `${tag}.grad_in`, GRADIENT);
}

/** A case's input and parameters by their names in the file. */
type Inputs = Record<string, Tensor>;

type Operation = (inputs: Inputs, description: string) => Tensor;

/** The operations by the first word of a case's tag. */
const operations: Record<string, Operation> = {
  down: ({ x, weight, bias }) =>
    conv2d(x, weight, bias, { stride: 2, padding: { top: 0, left: 0, bottom: 1, right: 1 } }),
  conv3: ({ x, weight, bias }) => conv2d(x, weight, bias, { padding: 1 }),
  conv1: ({ x, weight, bias }) => conv2d(x, weight, bias),
  gn: ({ x, weight, bias }, description) => normalize(x, weight, bias, groupsOf(description)),
  attnblock: attentionBlock,
  resblock: residualBlock,
  nearest: ({ x }) => nearest(x, { height: 2 * x.shape[1], width: 2 * x.shape[2] }),
  gelu_tanh: ({ x }) => gelu(x),
  ln: ({ x, weight, bias }) => layerNorm(x, weight, bias, { eps: 1e-6 }),
};

/** Group normalisation as the VAE has it; without parameters where the case has none. */
function normalize(
  x: Tensor,
  weight: Tensor | undefined,
  bias: Tensor | undefined,
  groups: number,
  silu = false,
): Tensor {
  const channels = x.shape[x.rank - 1];
  const gamma = weight ?? full(x.gpu, [channels], 1);
  return groupNorm(x, gamma, bias ?? zeros(x.gpu, [channels]), { groups, eps: 1e-6, silu });
}

/** The cases that continue a group normalisation; they do not repeat its settings. */
const normSilu: Operation = ({ x, weight, bias }) => normalize(x, weight, bias, 32, true);

function groupsOf(description: string): number {
  const found = description.match(/(\d+) groups/);
  if (!found) throw new Error(`"${description}" names no number of groups`);
  return Number(found[1]);
}

function attentionBlock(inputs: Inputs): Tensor {
  const { x } = inputs;
  const [n, h, w, c] = x.shape;
  const normed = normalize(x, inputs["norm.weight"], inputs["norm.bias"], 32);
  const map = (y: Tensor, name: string) =>
    conv2d(y, inputs[`${name}.weight`], inputs[`${name}.bias`]);
  const [q, k, v] = ["q", "k", "v"].map((name) => reshape(map(normed, name), [n, h * w, c]));
  return add(x, map(reshape(attention(q, k, v), x.shape), "proj_out"));
}

function residualBlock(inputs: Inputs): Tensor {
  const half = (y: Tensor, i: number) =>
    conv2d(
      normalize(y, inputs[`norm${i}.weight`], inputs[`norm${i}.bias`], 32, true),
      inputs[`conv${i}.weight`],
      inputs[`conv${i}.bias`],
      { padding: 1 },
    );
  const shortcut = conv2d(
    inputs.x,
    inputs["nin_shortcut.weight"],
    inputs["nin_shortcut.bias"],
  );
  return add(shortcut, half(half(inputs.x, 1), 2));
}

async function checkOp(gpu: Gpu, golden: Golden<unknown>, { tag, op }: OpCase): Promise<void> {
  const silu = tag.endsWith(".silu");
  const base = silu ? tag.slice(0, -".silu".length) : tag;
  const operation = silu ? normSilu : operations[tag.split(".")[0]];
  if (!operation) throw new Error(`${tag}: there is no operation for "${op}"`);
  const inputs = await readInputs(gpu, golden, base);
  const names = Object.keys(inputs).filter((name) => golden.file.has(`${tag}.grad.${name}`));
  const leaves = names.map((name) => inputs[name].requireGrad());
  const seed = golden.file.has(`${tag}.w`) ? await read(gpu, golden, `${tag}.w`) : undefined;
  const pending = (() => {
    using _scope = gpu.scope();
    const y = operation(inputs, op);
    const found = seed ? gradients(y, leaves, { seed }) : [];
    return [y, ...found].map((tensor) => tensor.readF32());
  })();
  const [y, ...found] = await Promise.all(pending);
  const expected = golden.file.has(`${tag}.out_f64`) ? `${tag}.out_f64` : `${tag}.out`;
  await compare(golden, y, expected, OUTPUT);
  for (const [i, name] of names.entries()) {
    await compare(golden, found[i], `${tag}.grad.${name}`, GRADIENT);
  }
  for (const tensor of [...Object.values(inputs), seed]) tensor?.dispose();
}

/** The input and parameters of a case, each in the library's layout. */
async function readInputs(gpu: Gpu, golden: Golden<unknown>, tag: string): Promise<Inputs> {
  const inputs: Inputs = {};
  const results = /^(grad\..*|silu\..*|out|out_f64|w)$/;
  for (const name of golden.file.names) {
    const short = name.slice(tag.length + 1);
    if (!name.startsWith(`${tag}.`) || results.test(short)) continue;
    inputs[short] = await read(gpu, golden, name);
  }
  return inputs;
}

async function read(gpu: Gpu, golden: Golden<unknown>, name: string): Promise<Tensor> {
  const { values, shape } = await inLibraryLayout(golden, name);
  return fromArray(gpu, values, shape);
}

/** NCHW images as NHWC, OIHW weights as HWIO, everything else as it is. */
async function inLibraryLayout(
  golden: Golden<unknown>,
  name: string,
): Promise<{ values: Float32Array; shape: number[] }> {
  const values = await golden.file.floats(name);
  const shape = [...golden.file.info(name).shape];
  if (shape.length !== 4) return { values, shape };
  const [n, c, h, w] = shape;
  if (!name.endsWith("weight")) return { values: channelsLast(values, shape), shape: [n, h, w, c] };
  return { values: spatialFirst(values, shape), shape: [h, w, c, n] };
}

/** OIHW values in HWIO order. */
function spatialFirst(values: Float32Array, [o, i, h, w]: readonly number[]): Float32Array {
  const result = new Float32Array(values.length);
  let from = 0;
  for (let output = 0; output < o; output++) {
    for (let input = 0; input < i; input++) {
      for (let at = 0; at < h * w; at++) result[(at * i + input) * o + output] = values[from++];
    }
  }
  return result;
}

async function compare(
  golden: Golden<unknown>,
  actual: Float32Array,
  name: string,
  relative: number,
): Promise<void> {
  const { values, shape } = await inLibraryLayout(golden, name);
  // Softmax ignores what all keys have in common: this gradient is 0 but for rounding, on both sides.
  const floor = name.endsWith(".grad.k.bias") ? 0.1 : undefined;
  assertClose(actual, values, { relative, name, shape, floor });
}
