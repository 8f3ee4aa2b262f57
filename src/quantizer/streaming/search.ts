import { gather, mul, relu, sub, sum } from "../../ops/mod.ts";
import { empty, noGrad, type Tensor } from "../../tensor/mod.ts";
import { cutOf, runFinish, runPass, type Work } from "./plan.ts";

/** The nearest code of each token. */
export interface Found {
  /** The code of the largest logit, the lowest of equals: u32, the axes of the queries but the last. */
  readonly index: Tensor;
  /** That logit. */
  readonly largest: Tensor;
}

/** The nearest code of each token, and how clear the choice was. */
export interface FoundWithMargin extends Found {
  /** How far the second largest logit lies below the largest; 0 for a tie. */
  readonly margin: Tensor;
  /** How far the logit of the code given lies below the largest, where one was given. */
  readonly behind?: Tensor;
}

/**
 * The largest of each token's logits `q · k` and where it is, in memory of the order of the tokens.
 * Logits are the same to the bit as those of `matmul(query, keys, { transposeB: true })`.
 *
 * @param query [..., d], scaled already; d a multiple of 4, at most 32.
 * @param keys [V, d].
 */
export function search(query: Tensor, keys: Tensor): Found {
  using scope = query.gpu.scope();
  const { index, largest } = find(query, keys, false);
  return { index: scope.keep(index), largest: scope.keep(largest) };
}

/** The same as {@link search}, with the second largest logits, and those of codes given: a little slower. */
export function searchWithMargins(query: Tensor, keys: Tensor, given?: Tensor): FoundWithMargin {
  const found = find(query, keys, true);
  if (!given) return found;
  using scope = query.gpu.scope();
  const logit = noGrad(() => sum(mul(query, gather(keys, given)), { axes: [-1] }));
  // Its sum runs in another order than the search's: rounding alone could put it ahead of the largest.
  return { ...found, behind: scope.keep(noGrad(() => relu(sub(found.largest, logit)))) };
}

/** Without `wantsMargins` the margins are undefined numbers. */
function find(query: Tensor, keys: Tensor, wantsMargins: boolean): FoundWithMargin {
  const { gpu } = query;
  using scope = gpu.scope();
  const [codes, channels] = keys.shape;
  const shape = query.shape.slice(0, -1);
  const tokens = query.size / channels;
  const work: Work = { held: tokens, streamed: codes, channels };
  const cut = cutOf(gpu, "search", work);
  const [values, seconds, indices] = (["f32", "f32", "u32"] as const).map((dtype) =>
    empty(gpu, [cut.chunks, tokens], dtype)
  );
  runPass(gpu, "search", work, cut, {
    held: query.storage,
    streamed: keys.storage,
    found: values.storage,
    seconds: seconds.storage,
    indices: indices.storage,
  }, { MARGIN: Number(wantsMargins) });
  const index = scope.keep(empty(gpu, shape, "u32"));
  const largest = scope.keep(empty(gpu, shape));
  const margin = scope.keep(empty(gpu, shape));
  runFinish(gpu, "best", {
    chunk_values: values.storage,
    chunk_seconds: seconds.storage,
    chunk_indices: indices.storage,
    largest: largest.storage,
    margins: margin.storage,
    indices: index.storage,
  }, { count: tokens, chunks: cut.chunks });
  return { index, largest, margin };
}
