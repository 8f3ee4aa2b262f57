import { defineKernel, type Gpu, gridFor } from "../gpu/mod.ts";
import { empty, record, type Tensor } from "../tensor/mod.ts";
import { pad } from "./pad.ts";
import { reshape } from "./reshape.ts";
import { slice } from "./slice.ts";

const kernel = defineKernel("attention");

const TILE = 32; // rows a workgroup

/** How attention reads the channels of its inputs, and the factor of its scores. */
export interface AttentionSettings {
  readonly heads: number;
  /** Channels of one head. */
  readonly channels: number;
  readonly scale: number;
}

/** Attention in memory linear in T: the scores exist a tile at a time and are computed again in backward. */
export function fusedAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  settings: AttentionSettings,
): Tensor {
  const { heads, channels, scale } = settings;
  if (channels % 4 === 0) return fused(q, k, v, settings);
  using scope = q.gpu.scope();
  const missing = 4 - (channels % 4); // channels of zeros change no score
  const [q4, k4, v4] = [q, k, v].map((x) => {
    const split = reshape(x, [x.shape[0], x.shape[1], heads, channels]);
    return pad(split, [[0, 0], [0, 0], [0, 0], [0, missing]]);
  });
  const y = fused(q4, k4, v4, { heads, channels: channels + missing, scale });
  const end = [...y.shape.slice(0, 3), channels];
  return scope.keep(reshape(slice(y, [0, 0, 0, 0], end), q.shape));
}

/** Threads a workgroup: one SIMD vector where the adapter is a CPU, which switches at barriers. */
function constantsFor(gpu: Gpu): { GROUP: number } {
  return { GROUP: gpu.isCpu ? 8 : 64 };
}

function fused(q: Tensor, k: Tensor, v: Tensor, settings: AttentionSettings): Tensor {
  using scope = q.gpu.scope();
  const { y, logSums } = fusedForward(q, k, v, settings);
  return record("attention", {
    inputs: [q, k, v],
    output: scope.keep(y),
    saved: [q, k, v, y, logSums],
    backward: (dy, saved, needs) => fusedGradients(dy, saved, needs, paramsOf(q, k, settings)),
  });
}

function paramsOf(q: Tensor, k: Tensor, { heads, channels, scale }: AttentionSettings) {
  const [batch, query_count] = q.shape;
  return { batch, heads, query_count, key_count: k.shape[1], quads: channels / 4, scale };
}

/**
 * The attention, and for each query of each head, [B, heads, T], the logarithm of the sum of the
 * exponentials of its scores. Channels of a head are a multiple of 4. Records nothing.
 */
export function fusedForward(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  settings: AttentionSettings,
): { y: Tensor; logSums: Tensor } {
  const { gpu } = q;
  const params = paramsOf(q, k, settings);
  const { batch, heads, query_count } = params;
  const y = empty(gpu, q.shape);
  const logSums = empty(gpu, [batch, heads, query_count]);
  gpu.run(kernel, "forward", {
    bind: {
      queries: q.storage,
      keys: k.storage,
      values: v.storage,
      first_out: y.storage,
      row_out: logSums.storage,
    },
    params,
    constants: constantsFor(gpu),
    grid: [Math.ceil(query_count / TILE), heads, batch],
  });
  return { y, logSums };
}

function fusedGradients(
  dy: Tensor,
  [q, k, v, y, logSums]: readonly Tensor[],
  needs: readonly boolean[],
  params:
    & { batch: number; heads: number; query_count: number; key_count: number }
    & Record<
      string,
      number
    >,
): (Tensor | null)[] {
  const { gpu } = q;
  const { batch, heads } = params;
  const deltas = empty(gpu, logSums.shape);
  gpu.run(kernel, "row_deltas", {
    bind: { cotangents: dy.storage, results: y.storage, row_out: deltas.storage },
    params,
    grid: gridFor(deltas.size, 64),
  });
  const bind = {
    queries: q.storage,
    keys: k.storage,
    values: v.storage,
    cotangents: dy.storage,
    log_sums: logSums.storage,
    deltas: deltas.storage,
  };
  const constants = constantsFor(gpu);
  let dq: Tensor | null = null;
  if (needs[0]) {
    dq = empty(gpu, q.shape);
    gpu.run(kernel, "query_grad", {
      bind: { ...bind, first_out: dq.storage },
      params,
      constants,
      grid: [Math.ceil(params.query_count / TILE), heads, batch],
    });
  }
  if (!needs[1] && !needs[2]) return [dq, null, null];
  const dk = empty(gpu, k.shape);
  const dv = empty(gpu, v.shape);
  gpu.run(kernel, "key_value_grad", {
    bind: { ...bind, first_out: dk.storage, second_out: dv.storage },
    params,
    constants,
    grid: [Math.ceil(params.key_count / TILE), heads, batch],
  });
  return [dq, dk, dv];
}
