import { defineKernel, type Gpu, gridFor } from "../gpu/mod.ts";
import { empty, record, ShapeError, shapeText, type Tensor } from "../tensor/mod.ts";
import { pad } from "./pad.ts";
import { reshape } from "./reshape.ts";
import { slice } from "./slice.ts";

const kernel = defineKernel("attention");

const TILE = 32; // rows a workgroup

/** Options of {@link attention}. */
export interface AttentionOptions {
  /** Into how many heads the channels of `[B, T, C]` are split; divides C. Default 1. */
  heads?: number;
  /** What scores are multiplied by; default 1/√D with D the channels of one head. */
  scale?: number;
}

/**
 * Scaled dot-product attention (Vaswani et al. 2017): `softmax(q kᵀ · scale) v` for each head, without
 * holding the scores of all pairs in memory; the backward pass computes them again (Dao et al. 2022).
 *
 * `q` is `[B, T, C]`, its channels split into `heads`, or `[B, T, heads, D]`. `k` and `v` have the same
 * shape as each other, and that of `q` except for T. The result has the shape of `q`.
 *
 * @throws {ShapeError} where the shapes do not fit together, or an axis is empty.
 * @throws {RangeError} where `heads` does not divide the channels.
 *
 * @example
 * ```ts
 * import { attention, Gpu, normal, Random } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const random = new Random(0);
 * const [q, k, v] = [1, 2, 3].map(() => normal(gpu, [1, 16, 128], random));
 * console.log(attention(q, k, v, { heads: 2 }).shape); // [1, 16, 128]
 * ```
 */
export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { heads, scale }: AttentionOptions = {},
): Tensor {
  checkShapes(q, k, v);
  const perHead = splitHeads(q, heads);
  const used = scale ?? 1 / Math.sqrt(perHead.channels);
  if (perHead.channels % 4 === 0) return fused(q, k, v, perHead, used);
  using scope = q.gpu.scope();
  const { heads: count, channels } = perHead;
  const missing = 4 - (channels % 4); // channels of zeros change no score
  const [q4, k4, v4] = [q, k, v].map((x) => {
    const split = reshape(x, [x.shape[0], x.shape[1], count, channels]);
    return pad(split, [[0, 0], [0, 0], [0, 0], [0, missing]]);
  });
  const y = fused(q4, k4, v4, { heads: count, channels: channels + missing }, used);
  const end = [...y.shape.slice(0, 3), channels];
  return scope.keep(reshape(slice(y, [0, 0, 0, 0], end), q.shape));
}

interface Heads {
  heads: number;
  channels: number;
}

function checkShapes(q: Tensor, k: Tensor, v: Tensor): void {
  const fits = [q, k, v].every((x) =>
    x.dtype === "f32" && x.size > 0 && x.rank === q.rank &&
    x.shape.every((length, axis) => axis === 1 || length === q.shape[axis])
  );
  if (fits && (q.rank === 3 || q.rank === 4) && k.shape[1] === v.shape[1]) return;
  const found = [q, k, v].map((x) => `${x.dtype} ${shapeText(x.shape)}`).join(", ");
  throw new ShapeError(
    "attention",
    `q, k and v must be f32 [B, T, C] or [B, T, heads, D], all alike but for q's T, found ${found}`,
  );
}

function splitHeads({ rank, shape }: Tensor, heads: number | undefined): Heads {
  if (rank === 4) {
    if (heads !== undefined && heads !== shape[2]) {
      throw new RangeError(
        `attention: heads is ${heads}, but q ${shapeText(shape)} has ${shape[2]}`,
      );
    }
    return { heads: shape[2], channels: shape[3] };
  }
  const count = heads ?? 1;
  if (!Number.isInteger(count) || count < 1 || shape[2] % count !== 0) {
    throw new RangeError(`attention: ${count} heads do not divide ${shape[2]} channels`);
  }
  return { heads: count, channels: shape[2] / count };
}

/** Threads a workgroup: one SIMD vector where the adapter is a CPU, which switches at barriers. */
function constantsFor(gpu: Gpu): { GROUP: number } {
  return { GROUP: gpu.isCpu ? 8 : 64 };
}

function fused(q: Tensor, k: Tensor, v: Tensor, { heads, channels }: Heads, scale: number): Tensor {
  const { gpu } = q;
  const [batch, queries] = q.shape;
  const params = {
    batch,
    heads,
    query_count: queries,
    key_count: k.shape[1],
    quads: channels / 4,
    scale,
  };
  using scope = gpu.scope();
  const y = scope.keep(empty(gpu, q.shape));
  const logSums = empty(gpu, [batch, heads, queries]);
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
    grid: [Math.ceil(queries / TILE), heads, batch],
  });
  return record("attention", {
    inputs: [q, k, v],
    output: y,
    saved: [q, k, v, y, logSums],
    backward: (dy, saved, needs) => fusedGradients(dy, saved, needs, params),
  });
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
