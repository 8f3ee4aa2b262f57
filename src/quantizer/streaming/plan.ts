import { defineKernel, type Gpu, gridFor, type Storage } from "../../gpu/mod.ts";

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
  /** Channels of values. */
  valueChannels: number;
  /** 1/τ; 1 where the pass has no use for it. */
  sharpness?: number;
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

/**
 * Blocks of four rows that an invocation holds. A CPU adapter's loads are slow and its cache serves as
 * registers, so many rows share a load; a GPU's registers hold four rows.
 */
function blocksOf(gpu: Gpu, pass: Pass): number {
  if (!gpu.isCpu) return 1;
  return pass === "search" ? 4 : 2;
}

/** Invocations that keep an adapter busy, and the least rows worth a chunk. */
function busy(gpu: Gpu): { invocations: number; shortest: number } {
  return gpu.isCpu ? { invocations: 256, shortest: 64 } : { invocations: 16384, shortest: 64 };
}

/** Cuts a pass into chunks: depends on the extents and the adapter alone. */
export function cutOf(gpu: Gpu, pass: Pass, { held, streamed }: Work): Cut {
  const blocks = blocksOf(gpu, pass);
  const { invocations, shortest } = busy(gpu);
  const across = Math.ceil(held / (4 * blocks));
  const wanted = Math.min(Math.ceil(invocations / across), Math.ceil(streamed / shortest));
  const chunk = Math.ceil(streamed / wanted);
  return { blocks, chunk, chunks: Math.ceil(streamed / chunk) };
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
  const { held, streamed, channels, valueChannels, sharpness = 1 } = work;
  const GROUP = gpu.isCpu ? 8 : 64;
  gpu.run(kernel, pass, {
    bind,
    params: { held, streamed, chunk, chunks, sharpness },
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
  constants?: Record<string, number>,
): void {
  const unused = { chunks: 0, channels: 0, tokens: 0, sharpness: 0, epsilon: 0 };
  gpu.run(finish, entry, {
    bind,
    params: { ...unused, ...params },
    constants,
    grid: gridFor(params.count, 64),
  });
}
