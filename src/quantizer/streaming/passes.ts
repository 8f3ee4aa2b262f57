import type { Storage } from "../../gpu/mod.ts";
import { sumRows } from "../../ops/sum_rows.ts";
import { empty, type Tensor } from "../../tensor/mod.ts";
import { EPSILON, TEMPERATURE } from "../entropy_loss.ts";
import { cutOf, type Pass, runFinish, runPass, type Work } from "./plan.ts";
import { countOf, type Pyramid } from "./pyramid.ts";

const SHARPNESS = 1 / TEMPERATURE;

/** What the cotangents of tokens' logits are made of. */
export interface TokenNumbers {
  /** The largest logit, delta, scale and shift of each token (kernels/stream.wgsl), [tokens, 4]. */
  readonly numbers: Tensor;
  /** The cotangent of its ẑ over Σ e, [tokens, c]. */
  readonly scaled: Tensor;
}

/** Fills in what is known of each token; returns their entropies at τ, each over its scale's tokens. */
export function fillTokens(pyramid: Pyramid): Tensor {
  const { keys, values, query, largest, statistics, soft, startsOnGpu } = pyramid;
  const { gpu, shape: [tokens] } = query;
  using scope = gpu.scope();
  const sums = empty(gpu, [tokens, 4]);
  pass("token_sums", tokensHeld(pyramid), {
    held: query,
    streamed: keys,
    streamed_values: values,
    largest,
  }, { sums, rows_out: soft });
  const entropies = empty(gpu, [tokens]);
  const bound = { maxima: largest, sums, statistics, entropies, starts: startsOnGpu };
  runFinish(gpu, "token_statistics", storagesOf(bound), { count: tokens });
  return scope.keep(entropies);
}

/** Fills in the codes' weights; returns of each code the sum of its terms in the scales' Σ p̄ log(p̄ + ε). */
export function fillWeights(pyramid: Pyramid): Tensor {
  const { keys, query, statistics, startsOnGpu: starts, weights } = pyramid;
  const { gpu, shape: [scales, codes] } = weights;
  pass("code_sums", codesHeld(pyramid), {
    held: keys,
    streamed: query,
    tokens: statistics,
    starts,
  }, { found: weights });
  const terms = empty(gpu, [codes]);
  const params = { count: codes, scales, epsilon: EPSILON };
  runFinish(gpu, "code_weights", storagesOf({ weights, entropies: terms, starts }), params);
  return terms;
}

/** Fills in what the entropies' gradients need of each token, behind the codes' weights. */
export function fillWeightSums(pyramid: Pyramid): void {
  const { keys, query, largest, weights, weightSums, startsOnGpu: starts } = pyramid;
  pass("weight_sums", tokensHeld(pyramid), {
    held: query,
    streamed: keys,
    largest,
    weights,
    starts,
  }, { found: weightSums });
}

/** What the cotangents of one scale's logits are made of, from those of its ẑ and of its entropy loss. */
export function tokenNumbers(
  pyramid: Pyramid,
  scale: number,
  zHat: Tensor,
  entropyLoss: Tensor,
): TokenNumbers {
  const { statistics, weightSums, soft } = pyramid;
  const { gpu, shape: [, channels] } = soft;
  const count = countOf(pyramid, scale);
  const numbers = empty(gpu, [count, 4]);
  const scaled = empty(gpu, [count, channels]);
  const bound = {
    known: statistics,
    weight_sums: weightSums,
    soft,
    cotangents: zHat,
    upstream: entropyLoss,
    scaled,
    numbers,
  };
  runFinish(gpu, "token_numbers", storagesOf(bound), {
    count,
    channels: channels / 4,
    first: pyramid.starts[scale],
    sharpness: SHARPNESS,
  });
  return { numbers, scaled };
}

/** The gradient of one scale's queries, [tokens, d]. */
export function queryGradient(
  pyramid: Pyramid,
  scale: number,
  { numbers, scaled }: TokenNumbers,
): Tensor {
  const { keys, values, query, weights } = pyramid;
  const gradient = empty(query.gpu, [countOf(pyramid, scale), query.shape[1]]);
  pass("query_grad", tokensHeld(pyramid, scale), {
    held: query,
    streamed: keys,
    held_values: scaled,
    streamed_values: values,
    tokens: numbers,
    weights,
  }, { rows_out: gradient });
  return gradient;
}

/** The gradient of the keys, from the numbers of the tokens of all scales. */
export function keyGradient(pyramid: Pyramid, { numbers, scaled }: TokenNumbers): Tensor {
  const { keys, values, query, weights, startsOnGpu: starts } = pyramid;
  const gradient = empty(keys.gpu, keys.shape);
  pass("key_grad", codesHeld(pyramid), {
    held: keys,
    streamed: query,
    held_values: values,
    streamed_values: scaled,
    tokens: numbers,
    weights,
    starts,
  }, { rows_out: gradient });
  return gradient;
}

/** Tokens in registers, of one scale or of all, and codes streaming by. */
function tokensHeld({ keys, values, query, starts }: Pyramid, scale?: number): Work {
  const part = scale === undefined
    ? { held: query.shape[0], scales: starts.length - 1 }
    : { held: starts[scale + 1] - starts[scale], first: starts[scale], scale };
  return {
    ...part,
    streamed: keys.shape[0],
    channels: keys.shape[1],
    valueChannels: values.shape[1],
    sharpness: SHARPNESS,
  };
}

/** Codes in registers, the tokens of all scales streaming by. */
function codesHeld(pyramid: Pyramid): Work {
  const work = tokensHeld(pyramid);
  return { ...work, held: work.streamed, streamed: work.held };
}

/** Runs a pass; what its chunks found is summed in their order. */
function pass(
  name: Pass,
  work: Work,
  bound: Record<string, Tensor>,
  outputs: Record<string, Tensor>,
): void {
  const { gpu } = bound.held;
  using _scope = gpu.scope();
  const cut = cutOf(gpu, name, work);
  const isWhole = cut.chunks === 1;
  const found = Object.entries(outputs).map(([name, whole]) => {
    const part = isWhole ? whole : empty(gpu, [cut.chunks, whole.size]);
    return { name, whole, part };
  });
  const written = Object.fromEntries(found.map(({ name, part }) => [name, part]));
  runPass(gpu, name, work, cut, storagesOf({ ...bound, ...written }));
  if (isWhole) return;
  for (const { part, whole } of found) {
    sumRows(gpu, part.storage, cut.chunks, whole.size, whole.shape, whole);
  }
}

function storagesOf(tensors: Record<string, Tensor>): Record<string, Storage> {
  return Object.fromEntries(Object.entries(tensors).map(([name, { storage }]) => [name, storage]));
}
