import { ShapeError, shapeText, type Tensor } from "../tensor/mod.ts";
import { fusedAttention } from "./attention_fused.ts";
import { attentionByProducts } from "./attention_products.ts";

/** Bytes of scores per image up to which a CPU adapter holds them all. */
const SCORE_BYTES = 2 ** 24;

/** Options of {@link attention}. */
export interface AttentionOptions {
  /** Into how many heads the channels of `[B, T, C]` are split; divides C. Default 1. */
  heads?: number;
  /** What scores are multiplied by; default 1/√D with D the channels of one head. */
  scale?: number;
}

/**
 * Scaled dot-product attention (Vaswani et al. 2017): `softmax(q kᵀ · scale) v` for each head. Scores
 * are computed a tile at a time and never held, and again in the backward pass (Dao et al. 2022); on a
 * CPU adapter, where plain matrix products are faster, they are held while it runs if an image's take
 * 16 MiB at most.
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
  options: AttentionOptions = {},
): Tensor {
  return attend(q, k, v, options, q.shape[1]);
}

/**
 * The self-attention of some of the tokens, `q`, to all of them: the rows that {@link attention} gives
 * them among all queries, to the bit.
 */
export function attentionOfSome(q: Tensor, k: Tensor, v: Tensor): Tensor {
  return attend(q, k, v, {}, k.shape[1]);
}

/** Takes the way that is fast for so many queries, of which `q` may hold a part. */
function attend(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { heads, scale }: AttentionOptions,
  queries: number,
): Tensor {
  checkShapes(q, k, v);
  const perHead = splitHeads(q, heads);
  const settings = { ...perHead, scale: scale ?? 1 / Math.sqrt(perHead.channels) };
  const scoreBytes = perHead.heads * queries * k.shape[1] * 4;
  const isSmall = q.gpu.isCpu && scoreBytes <= SCORE_BYTES;
  return isSmall ? attentionByProducts(q, k, v, settings) : fusedAttention(q, k, v, settings);
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
