import type { Gpu, Storage } from "../../gpu/mod.ts";
import { add, gather, mean, sum } from "../../ops/mod.ts";
import { sumRows } from "../../ops/sum_rows.ts";
import {
  type Cotangents,
  empty,
  noGrad,
  recordParts,
  type Shape,
  share,
  sizeOf,
  type Tensor,
} from "../../tensor/mod.ts";
import type { Assignment, CodebookViews } from "../assignment.ts";
import { EPSILON, TEMPERATURE } from "../entropy_loss.ts";
import { cutOf, type Pass, runFinish, runPass, type Work } from "./plan.ts";
import { search } from "./search.ts";

const SHARPNESS = 1 / TEMPERATURE;

/**
 * The same as `assignComposed` without a tensor of tokens × codes: every pass over the codebook computes
 * the logits again (as Dao et al. 2022 do for attention), forward and backward, so that memory is of
 * the order of tokens + V. Codes and ẑ are the same to the bit.
 *
 * @param query [..., d], scaled already; d a multiple of 4, at most 32.
 * @param views keys [V, d] and values [V, c]; c a multiple of 4, at most 16.
 */
export function assignStreamed(query: Tensor, { keys, values }: CodebookViews): Assignment {
  const { gpu } = query;
  using scope = gpu.scope();
  const { index, largest } = search(query, keys);
  const hard = gather(values, index);
  const { statistics, soft, entropies } = tokenStatistics(query, keys, values, largest);
  const { weights, terms } = codeWeights(query, keys, statistics);
  const entropyLoss = noGrad(() => add(mean(entropies), sum(terms)));
  const zHat = share(hard);
  gpu.track(zHat);
  recordParts("assignStreamed", {
    inputs: [hard, query, keys],
    outputs: [zHat, entropyLoss],
    saved: [query, keys, values, largest, statistics, soft, weights],
    backward: (cotangents, saved, [, needsQuery, needsKeys], [, , keySum]) => [
      cotangents[0] ?? null,
      ...gradientsOf(cotangents, saved, needsQuery, needsKeys, keySum),
    ],
  });
  for (const tensor of [index, hard, zHat, entropyLoss]) scope.keep(tensor);
  return { index, hard, zHat, entropyLoss };
}

/** Of each token: numbers about its two softmaxes, the unnormalised Σ e·v, and its entropy at τ. */
function tokenStatistics(query: Tensor, keys: Tensor, values: Tensor, largest: Tensor) {
  const { gpu } = query;
  const work = tokensHeld(query, keys, values);
  const [tokens, channels] = [work.held, values.shape[1]];
  const [sums, soft] = pass(gpu, "token_sums", work, {
    held: query,
    streamed: keys,
    streamed_values: values,
    largest,
  }, { sums: [tokens, 4], rows_out: [tokens, channels] });
  const statistics = empty(gpu, [tokens, 4]);
  const entropies = empty(gpu, [tokens]);
  runFinish(gpu, "token_statistics", {
    maxima: largest.storage,
    sums: sums.storage,
    statistics: statistics.storage,
    entropies: entropies.storage,
  }, { count: tokens });
  return { statistics, soft, entropies };
}

/** Of each code: its term in Σ p̄ log(p̄ + ε), and that term's derivative. */
function codeWeights(query: Tensor, keys: Tensor, statistics: Tensor) {
  const { gpu } = query;
  const work = codesHeld(query, keys);
  const [shares] = pass(gpu, "code_sums", work, {
    held: keys,
    streamed: query,
    tokens: statistics,
  }, { found: [work.held] });
  const weights = empty(gpu, [work.held]);
  const terms = empty(gpu, [work.held]);
  runFinish(gpu, "code_weights", {
    shares: shares.storage,
    weights: weights.storage,
    entropies: terms.storage,
  }, { count: work.held, tokens: work.streamed, epsilon: EPSILON });
  return { weights, terms };
}

/**
 * The gradients of queries and keys, from those of ẑ and of the entropy loss. That of keys is added to
 * the other scales' in `keySum`, if it is there.
 */
function gradientsOf(
  cotangents: Cotangents,
  saved: readonly Tensor[],
  needsQuery: boolean,
  needsKeys: boolean,
  keySum: Tensor | undefined,
): [Tensor | null, Tensor | null] {
  if (!needsQuery && !needsKeys) return [null, null];
  const [query, keys, values] = saved;
  const { gpu } = query;
  const constants = {
    SOFT: Number(cotangents[0] !== undefined),
    COLD: Number(cotangents[1] !== undefined),
  };
  const { numbers, scaled } = tokenNumbers(cotangents, saved, constants);
  const shared = { tokens: numbers, weights: saved[6] };
  const queryGradient = () =>
    pass(
      gpu,
      "query_grad",
      tokensHeld(query, keys, values),
      {
        ...shared,
        held: query,
        streamed: keys,
        held_values: scaled,
        streamed_values: values,
      },
      { rows_out: query.shape },
      { constants },
    )[0];
  const keyGradient = () =>
    pass(
      gpu,
      "key_grad",
      codesHeld(query, keys, values),
      {
        ...shared,
        held: keys,
        streamed: query,
        held_values: values,
        streamed_values: scaled,
      },
      { rows_out: keys.shape },
      { constants, into: keySum },
    )[0];
  return [needsQuery ? queryGradient() : null, needsKeys ? keyGradient() : null];
}

/** What the cotangents of a token's logits are made of: its numbers, and that of ẑ over Σ e. */
function tokenNumbers(
  [dz, de]: Cotangents,
  [query, keys, values, largest, statistics, soft, weights]: readonly Tensor[],
  constants: Record<string, number>,
) {
  const { gpu } = query;
  const work = tokensHeld(query, keys);
  const [tokens, channels] = [work.held, values.shape[1]];
  const rows = { held: query, streamed: keys, largest, weights };
  const weightSums = de && pass(gpu, "weight_sums", work, rows, { found: [tokens] })[0];
  const scaled = empty(gpu, [tokens, channels]);
  const numbers = empty(gpu, [tokens, 4]);
  const unused = statistics; // bound in place of what is not there, and not read
  runFinish(
    gpu,
    "token_numbers",
    {
      known: statistics.storage,
      weight_sums: (weightSums ?? unused).storage,
      soft: soft.storage,
      cotangents: (dz ?? unused).storage,
      upstream: (de ?? unused).storage,
      scaled: scaled.storage,
      numbers: numbers.storage,
    },
    { count: tokens, channels: channels / 4, tokens, sharpness: SHARPNESS },
    constants,
  );
  return { numbers, scaled };
}

/** Tokens in registers, codes streaming by. */
function tokensHeld(query: Tensor, keys: Tensor, values?: Tensor): Work {
  const [streamed, channels] = keys.shape;
  return {
    held: query.size / channels,
    streamed,
    channels,
    valueChannels: values?.shape[1],
    sharpness: SHARPNESS,
  };
}

/** Codes in registers, tokens streaming by. */
function codesHeld(query: Tensor, keys: Tensor, values?: Tensor): Work {
  const work = tokensHeld(query, keys, values);
  return { ...work, held: work.streamed, streamed: work.held };
}

/**
 * Runs a pass and sums what its chunks found, in their order; `outputs` are the shapes without chunks.
 * Where there is one chunk the rows found are added to `into`, which is then the result.
 */
function pass(
  gpu: Gpu,
  name: Pass,
  work: Work,
  bound: Record<string, Tensor>,
  outputs: Record<string, Shape>,
  { constants, into }: { constants?: Record<string, number>; into?: Tensor } = {},
): Tensor[] {
  using scope = gpu.scope();
  const cut = cutOf(gpu, name, work);
  if (into && cut.chunks === 1) {
    const bind = { ...storagesOf(bound), rows_out: into.storage };
    runPass(gpu, name, work, cut, bind, constants, true);
    return [into];
  }
  const parts = Object.entries(outputs).map(([name, shape]) =>
    [name, empty(gpu, cut.chunks === 1 ? shape : [cut.chunks, sizeOf(shape)])] as const
  );
  const bind = { ...storagesOf(bound), ...storagesOf(Object.fromEntries(parts)) };
  runPass(gpu, name, work, cut, bind, constants);
  return parts.map(([name, part]) => {
    const shape = outputs[name];
    const whole = cut.chunks === 1
      ? part
      : sumRows(gpu, part.storage, cut.chunks, sizeOf(shape), shape);
    return scope.keep(whole);
  });
}

function storagesOf(tensors: Record<string, Tensor>): Record<string, Storage> {
  return Object.fromEntries(Object.entries(tensors).map(([name, { storage }]) => [name, storage]));
}
