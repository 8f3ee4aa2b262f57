import { defineKernel, type Gpu, gridFor } from "../gpu/mod.ts";
import { ShapeError } from "./errors.ts";
import { halfCopy } from "./convert.ts";
import { empty, full, share, zeros } from "./make.ts";
import {
  type Backward,
  consumeNode,
  type Cotangents,
  dropNode,
  type JointBackward,
  latestId,
  newNode,
  type Node,
  partNodes,
  type Remake,
} from "./node.ts";
import { sameShape, shapeText } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

const kernel = defineKernel("accumulate");

/** What an operation tells the graph about itself. */
export interface Recorded {
  /** The tensors it read, in the order in which `backward` returns their gradients. */
  inputs: readonly Tensor[];
  /** The tensor it made. */
  output: Tensor;
  /** What `backward` needs; kept alive until backward has passed, whatever scopes end meanwhile. */
  saved?: readonly Tensor[];
  /** Those of `saved` that `backward` also takes in f16: activations, see {@link withHalfActivations}. */
  activations?: readonly Tensor[];
  /** The operation's gradient. */
  backward: Backward;
}

let recording = true;
let inHalf = false;

/**
 * Puts an operation into the graph, if any input wants a gradient; returns its output.
 * What it saves is held until `gradients` has passed it, or no tensor leads to it any more.
 */
export function record(
  name: string,
  { inputs, output, saved = [], activations = [], backward }: Recorded,
): Tensor {
  if (recording && inputs.some((input) => input.requiresGrad)) {
    if (output.dtype === "f16") {
      throw new TypeError(`${name}: there are no gradients through f16: make the result f32`);
    }
    const nodes = inputs.map((input) => input.node);
    const held = saved.map((tensor) =>
      inHalf && activations.includes(tensor) ? halfCopy(tensor) : share(tensor)
    );
    output.node = newNode(name, output.shape, nodes, held, backward);
  }
  return output;
}

/** What an operation of several outputs tells the graph about itself. */
export interface RecordedParts extends Pick<Recorded, "inputs" | "saved"> {
  /** The tensors it made. */
  outputs: readonly Tensor[];
  /** The operation's gradient, from those of the outputs that a gradient reached. */
  backward: JointBackward;
}

/** The same as {@link record} for an operation of several outputs: one backward serves all of them. */
export function recordParts(
  name: string,
  { inputs, outputs, saved = [], backward }: RecordedParts,
): void {
  if (!recording || !inputs.some((input) => input.requiresGrad)) return;
  const nodes = inputs.map((input) => input.node);
  const held = saved.map((tensor) => share(tensor));
  const parts = partNodes(name, outputs.map(({ shape }) => shape), nodes, held, backward);
  outputs.forEach((output, i) => output.node = parts[i]);
}

/**
 * Runs `work` without recording: what it makes are constants to any later gradient. Recording goes on
 * when `work` returns: what an async function does after its first await is recorded.
 */
export function noGrad<T>(work: () => T): T {
  return withRecording(false, work);
}

/**
 * Runs `work` with recording, also within a backward pass, where none is: for an operation that computes
 * its result again from new leaves and asks for their gradients, instead of saving what they need.
 */
export function withGrad<T>(work: () => T): T {
  return withRecording(true, work);
}

function withRecording<T>(wanted: boolean, work: () => T): T {
  const before = recording;
  recording = wanted;
  try {
    return work();
  } finally {
    recording = before;
  }
}

/** Whether operations are recorded now. */
export function isRecording(): boolean {
  return recording;
}

/**
 * Runs `work`, whose convolutions and group norms keep what they read for the backward pass in f16: half
 * the memory of what `gradients` needs most of. What is computed forwards keeps its bits; gradients of
 * weights and norms are of what was kept, each value of which is off by up to 2⁻¹¹ of itself. One that
 * exceeds 65504 becomes infinite, and gradients with it. What was read may be written anew only once its
 * graph was passed or dropped: till then its copy serves all that read it. With `wanted` false it runs as
 * it would outside.
 *
 * @throws {GpuError} where the adapter has no f16.
 *
 * @example
 * ```ts
 * import { conv2d, Gpu, gradients, normal, Random, sum, withHalfActivations } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = normal(gpu, [1, 8, 8, 4], new Random(0));
 * const weight = normal(gpu, [3, 3, 4, 4], new Random(1)).requireGrad();
 * const y = gpu.hasHalf ? withHalfActivations(() => conv2d(x, weight)) : conv2d(x, weight);
 * console.log(gradients(sum(y), [weight])[0].shape); // [3, 3, 4, 4]
 * ```
 */
export function withHalfActivations<T>(work: () => T, wanted: boolean = true): T {
  const before = inHalf;
  inHalf = wanted;
  try {
    return work();
  } finally {
    inHalf = before;
  }
}

/** Whether {@link withHalfActivations} is in force. */
export function keepsHalf(): boolean {
  return inHalf;
}

/** How a backward pass is run. */
export interface GradientOptions {
  /** The gradient of what is minimised with respect to `y`; 1 for a `y` of one element. */
  seed?: Tensor;
  /** Keeps the graph for a second pass; without it the pass frees what the graph holds. */
  retain?: boolean;
}

/**
 * The gradients of `y` with respect to each of `inputs`, in their order and of their shapes;
 * zeros where `y` does not depend on one. They are for reading: two of them, or one and the seed, may be
 * the same bytes.
 *
 * @throws {ShapeError} where `y` has more than one element and no seed, or the seed has another shape.
 * @throws {TypeError} where an input wants no gradient, `y` was not recorded, or the graph was already
 * consumed.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, gradients, mul, sum } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [1, 2, 3], [3]).requireGrad();
 * const [dx] = gradients(sum(mul(x, x)), [x]);
 * console.log(await dx.read()); // 2, 4, 6
 * ```
 */
export function gradients(
  y: Tensor,
  inputs: readonly Tensor[],
  { seed, retain = false }: GradientOptions = {},
): Tensor[] {
  const wanted = inputs.map((input, i) => {
    if (!input.node) {
      throw new TypeError(`gradients: input ${i} wants none: call requireGrad first`);
    }
    return input.node;
  });
  if (!y.node) {
    throw new TypeError(
      "gradients: y was made of constants, or without recording: it has no graph",
    );
  }
  const pass: Pass = { gpu: y.gpu, grads: new Map(), wanted: new Set(wanted) };
  const { grads } = pass;
  try {
    grads.set(y.node, [startingGradient(y, seed)]);
    const { node } = y;
    noGrad(() => passGraph(node, pass, { needed: pass.wanted, retain }));
    return inputs.map((input, i) => claimGradient(input, grads.get(wanted[i])?.[0]));
  } finally {
    for (const cotangents of grads.values()) dispose(cotangents);
  }
}

/** What is known so far of the gradients of nodes' outputs. */
type Gradients = Map<Node, (Tensor | undefined)[]>;

/** A backward pass under way. */
interface Pass {
  readonly gpu: Gpu;
  readonly grads: Gradients;
  /** The nodes whose gradients are asked for. */
  readonly wanted: ReadonlySet<Node>;
}

/** Which part of a graph is passed, and how. */
interface PassedPart {
  /** The nodes further back that a gradient is to reach. */
  readonly needed: ReadonlySet<Node>;
  /** Whether what it holds is kept. */
  readonly retain: boolean;
  /** Only nodes of higher ids are passed; 0, all, unless given. */
  readonly since?: number;
}

/** Leads the gradient of `last` through the nodes behind it, latest first. */
function passGraph(
  last: Node,
  pass: Pass,
  { needed: further, retain, since = 0 }: PassedPart,
): void {
  const { grads, wanted } = pass;
  const order = backwardOrder(last, since);
  const needed = neededNodes(order, further);
  for (const node of order) {
    if (needed.has(node)) passNode(node, pass, needed);
    if (!retain) consumeNode(node);
    if (!wanted.has(node)) {
      dispose(grads.get(node));
      grads.delete(node);
    }
  }
}

function dispose(cotangents: Cotangents = []): void {
  for (const gradient of cotangents) gradient?.dispose();
}

function startingGradient(y: Tensor, seed: Tensor | undefined): Tensor {
  if (seed) {
    if (!sameShape(seed.shape, y.shape)) {
      throw new ShapeError(
        "gradients",
        `seed ${shapeText(seed.shape)} for y ${shapeText(y.shape)}`,
      );
    }
    return share(seed);
  }
  if (y.size !== 1) {
    throw new ShapeError(
      "gradients",
      `y ${shapeText(y.shape)} is no scalar: give a seed, or reduce it`,
    );
  }
  using _scope = y.gpu.scope();
  return share(full(y.gpu, y.shape, 1));
}

/** All nodes behind `last`, and itself, of ids above `since`, latest first. */
function backwardOrder(last: Node, since: number): Node[] {
  const seen = new Set<Node>([last]);
  for (const node of seen) {
    for (const input of node.inputs) if (input && input.id > since) seen.add(input);
  }
  return [...seen].sort((a, b) => b.id - a.id);
}

/** The nodes through which one that is wanted is reached, and those that are wanted. */
function neededNodes(order: readonly Node[], wanted: ReadonlySet<Node>): Set<Node> {
  const needed = new Set<Node>(wanted);
  for (const node of order.toReversed()) {
    if (node.inputs.some((input) => input && needed.has(input))) needed.add(node);
  }
  return needed;
}

function passNode(node: Node, pass: Pass, needed: ReadonlySet<Node>): void {
  const { gpu, grads } = pass;
  const dys = grads.get(node);
  const needs = node.inputs.map((input) => input !== undefined && needed.has(input));
  if (!dys || !needs.includes(true)) return;
  if (node.remake) return passRemade(node, node.remake, pass, needed);
  if (!node.backward) {
    throw new TypeError(
      `gradients: the graph through ${node.name} was consumed: pass retain: true before`,
    );
  }
  using _scope = gpu.scope();
  const sums = node.inputs.map((input) => input && ownSum(grads.get(input)?.[node.part]));
  const found = node.backward(dys, node.saved, needs, sums);
  needs.forEach((isNeeded, i) => {
    const gradient = found[i];
    if (isNeeded && gradient) accumulate(grads, node.inputs[i]!, node.part, gradient);
  });
}

/**
 * Passes the graph that a node stands for, made anew, in its place: its operations add to the gradients
 * known so far one after another, as they would without the node, and so to the same bits.
 */
function passRemade(node: Node, remake: Remake, pass: Pass, needed: ReadonlySet<Node>): void {
  const { grads, wanted } = pass;
  const since = latestId();
  const last = withGrad(() => remake(node.saved, node.inputs));
  const dys = grads.get(node)!;
  if (wanted.has(node)) grads.set(last, dys.map((dy) => dy && share(dy)));
  else { // a second holder would keep operations from adding in place
    grads.set(last, dys);
    grads.delete(node);
  }
  try {
    passGraph(last, pass, { needed, retain: false, since });
  } finally {
    dropNode(last);
  }
}

/** A sum that may be added to in place, since only the pass holds its bytes. */
function ownSum(sum: Tensor | undefined): Tensor | undefined {
  return sum?.storage.references === 1 ? sum : undefined;
}

/** Adds to what is known of the gradient of one output of a node. */
function accumulate(grads: Gradients, node: Node, output: number, gradient: Tensor): void {
  if (!sameShape(gradient.shape, node.shapes[output])) {
    const [found, expected] = [gradient.shape, node.shapes[output]].map(shapeText);
    throw new ShapeError(
      "gradients",
      `a gradient for ${node.name} is ${found}, expected ${expected}`,
    );
  }
  const sums = grads.get(node) ?? node.shapes.map(() => undefined);
  grads.set(node, sums);
  const sum = sums[output];
  if (sum === gradient) return; // the operation has added to it
  if (!sum) {
    sums[output] = share(gradient);
    return;
  }
  let target = sum;
  if (sum.storage.references > 1) { // someone else reads these bytes: add into a copy
    const copy = empty(sum.gpu, sum.shape);
    sum.gpu.copy(sum.storage, copy.storage);
    target = share(copy);
    sum.dispose();
    sums[output] = target;
  }
  addInto(target, gradient);
}

/**
 * `sum ← sum + x`, in place, for f32 tensors of one shape: for sums that outlive the graph. Nothing that a
 * gradient needs may hold the sum's bytes.
 *
 * @example
 * ```ts
 * import { addInto, fromArray, Gpu, zeros } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const sum = zeros(gpu, [2]);
 * for (const x of [[1, 2], [3, 4]]) addInto(sum, fromArray(gpu, x, [2]));
 * console.log(await sum.read()); // 4, 6
 * ```
 */
export function addInto(sum: Tensor, x: Tensor): void {
  sum.gpu.run(kernel, "add", {
    bind: { x: x.storage, y: sum.storage },
    params: { size: x.size },
    grid: gridFor(Math.ceil(x.size / 4), 64),
  });
}

function claimGradient(input: Tensor, gradient: Tensor | undefined): Tensor {
  if (!gradient) return zeros(input.gpu, input.shape);
  const claimed = share(gradient);
  input.gpu.track(claimed);
  return claimed;
}
