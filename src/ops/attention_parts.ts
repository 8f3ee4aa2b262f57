import type { Tensor } from "../tensor/mod.ts";
import { fusedForward } from "./attention_fused.ts";
import { add, div, maximum, mul, sub } from "./binary.ts";
import { concat } from "./concat.ts";
import { pad } from "./pad.ts";
import { reshape } from "./reshape.ts";
import { slice } from "./slice.ts";
import { exp, log } from "./unary.ts";

/**
 * The attention of tokens `q` [1, T, C] to some of the keys, `k` and `v` [1, S, C], with what joins it
 * with that to other keys: [1, T, C + 1], the last channel the logarithm of the sum of the exponentials
 * of a token's scores. Without gradients.
 */
export function attentionToSome(q: Tensor, k: Tensor, v: Tensor): Tensor {
  using scope = q.gpu.scope();
  const [, tokens, channels] = q.shape;
  const missing = (4 - channels % 4) % 4; // channels of zeros change no score
  const [q4, k4, v4] = missing === 0
    ? [q, k, v]
    : [q, k, v].map((x) => pad(x, [[0, 0], [0, 0], [0, missing]]));
  const { y, logSums } = fusedForward(q4, k4, v4, {
    heads: 1,
    channels: channels + missing,
    scale: 1 / Math.sqrt(channels),
  });
  const found = missing === 0 ? y : slice(y, [0, 0, 0], [1, tokens, channels]);
  return scope.keep(concat([found, reshape(logSums, [1, tokens, 1])], 2));
}

/** The attention to the keys of both, from two results of {@link attentionToSome}. */
export function joinAttention(a: Tensor, b: Tensor): Tensor {
  using scope = a.gpu.scope();
  const [one, two] = [a, b].map(partsOf);
  const most = maximum(one.logSum, two.logSum);
  const [weightOne, weightTwo] = [one, two].map(({ logSum }) => exp(sub(logSum, most)));
  const total = add(weightOne, weightTwo);
  const sum = add(mul(one.result, weightOne), mul(two.result, weightTwo));
  return scope.keep(concat([div(sum, total), add(most, log(total))], 2));
}

/** The attention to all keys that were joined: [1, T, C]. */
export function joinedAttention(x: Tensor): Tensor {
  return partsOf(x).result;
}

function partsOf(x: Tensor): { result: Tensor; logSum: Tensor } {
  const [, tokens, channels] = x.shape;
  return {
    result: slice(x, [0, 0, 0], [1, tokens, channels - 1]),
    logSum: slice(x, [0, 0, channels - 1]),
  };
}
