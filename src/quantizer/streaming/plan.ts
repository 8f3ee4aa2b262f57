import { defineKernel, type Gpu, gridFor, type Storage } from "../../gpu/mod.ts";
import { kindOf } from "../../ops/tile.ts";

const kernel = defineKernel("stream");

/** The passes of kernels/stream.wgsl. */
export type Pass =
  | "search"
  | "token_sums"
  | "code_sums"
  | "weight_sums"
  | "query_grad"
  | "key_grad";

/** What a pass runs over. */
export interface Work {
  /** Rows that invocations hold in registers. */
  held: number;
  /** Rows that stream past them. */
  streamed: number;
  /** Channels of queries and keys. */
  channels: number;
  /** Channels of values; a pass that reads none has none. */
  valueChannels?: number;
  /** 1/τ; a pass at temperature 1 alone has none. */
  sharpness?: number;
  /** How many scales the tokens are of, where they are of all. */
  scales?: number;
  /** Which scale the held tokens are of, where they are of one, and the first of them in what is bound. */
  scale?: number;
  first?: number;
}

/** How a pass is cut. */
export interface Cut {
  /** Blocks of four held rows in one invocation. */
  readonly blocks: number;
  /** Streamed rows of one invocation. */
  readonly chunk: number;
  /** Chunks, each with results of its own. */
  readonly chunks: number;
}

/** How an adapter is kept busy. */
interface Shape {
  /** Blocks of four rows that an invocation may hold in the search, and those that it holds else. */
  blocks: { search: readonly number[]; others: number };
  /** Invocations in a workgroup; they share nothing. */
  group: number;
  /** Invocations worth having. */
  invocations: number;
  /** Chunks of the search come in multiples of so many, where there are as many. */
  even: number;
}

/**
 * A CPU adapter's loads are slow, and its cache serves as registers: many held rows share a load. The few
 * invocations fill workgroups, as many of them for either of two cores, so that none waits for a last one.
 */
const CPU: Shape = {
  blocks: { search: [1, 4, 5, 6], others: 2 },
  group: 8,
  invocations: 256,
  even: 16,
};

/** A GPU's registers hold four rows of a thread, and it wants many threads. */
const GPU: Shape = {
  blocks: { search: [1], others: 1 },
  group: 64,
  invocations: 16384,
  even: 1,
};

/** What loading a streamed row costs, in the products of it with a block of four held rows. */
const LOAD = 2;

/** Streamed rows that are worth a chunk. */
const SHORTEST = 64;

function shapeOf(gpu: Gpu): Shape {
  return kindOf(gpu) === "cpu" ? CPU : GPU;
}

/** Cuts a pass into chunks: depends on the extents and the adapter alone. */
export function cutOf(gpu: Gpu, pass: Pass, { held, streamed }: Work): Cut {
  const { blocks: { search, others }, invocations, even } = shapeOf(gpu);
  const blocks = pass === "search" ? cheapest(held, search) : others;
  const across = Math.ceil(held / (4 * blocks));
  const enough = Math.ceil(invocations / across);
  const evenly = pass === "search" && enough >= even ? Math.round(enough / even) * even : enough;
  const wanted = Math.min(evenly, Math.ceil(streamed / SHORTEST));
  const chunk = Math.ceil(streamed / wanted);
  return { blocks, chunk, chunks: Math.ceil(streamed / chunk) };
}

/** Of these numbers of blocks the one for which loads, and rows that do not exist, cost the least. */
function cheapest(held: number, choices: readonly number[]): number {
  const cost = (blocks: number) => Math.ceil(held / (4 * blocks)) * (LOAD + blocks);
  return choices.reduce((best, next) => cost(next) < cost(best) ? next : best);
}

/** Dispatches a pass. */
export function runPass(
  gpu: Gpu,
  pass: Pass,
  work: Work,
  { blocks, chunk, chunks }: Cut,
  bind: Record<string, Storage>,
  constants: Record<string, number> = {},
): void {
  const { held, streamed, channels, valueChannels = 4 } = work;
  const { sharpness = 1, scales = 0, first = 0, scale = 0 } = work;
  const GROUP = shapeOf(gpu).group;
  gpu.run(kernel, pass, {
    bind,
    params: {
      held,
      streamed,
      chunk,
      chunks,
      sharpness,
      scales,
      first,
      first_weight: scale * streamed,
    },
    constants: {
      ...constants,
      GROUP,
      BLOCKS: blocks,
      QUADS: channels / 4,
      VALUE_QUADS: valueChannels / 4,
    },
    grid: gridFor(Math.ceil(held / (4 * blocks)) * chunks, GROUP),
  });
}

const finish = defineKernel("stream_finish");

/** Dispatches an entry of kernels/stream_finish.wgsl for `count` tokens or codes. */
export function runFinish(
  gpu: Gpu,
  entry: string,
  bind: Record<string, Storage>,
  params: { count: number } & Record<string, number>,
): void {
  const unused = { chunks: 0, channels: 0, scales: 0, first: 0, sharpness: 0, epsilon: 0 };
  gpu.run(finish, entry, {
    bind,
    params: { ...unused, ...params },
    grid: gridFor(params.count, 64),
  });
}
