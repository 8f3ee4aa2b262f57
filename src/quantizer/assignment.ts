import type { Tensor } from "../tensor/mod.ts";

/** Keys and values of the codebook: computed once, used by every scale. */
export interface CodebookViews {
  /** K = norm_k(W_k C), [V, d]. */
  readonly keys: Tensor;
  /** V = W_v C, [V, c]. */
  readonly values: Tensor;
}

/** The codes of one scale's tokens. */
export interface Assignment {
  /** The chosen code of each token, u32. */
  readonly index: Tensor;
  /** ẑ₂, the chosen codes' values; its gradient goes to the values alone. */
  readonly hard: Tensor;
  /** ẑ, the same numbers; its gradient goes to the values, and through the softmax to queries and keys. */
  readonly zHat: Tensor;
}

/** Assigns the tokens of a pyramid to codes, one scale after the other. */
export interface Assigner {
  /** The next scale's codes, from its tokens' queries [..., d], scaled already. */
  assign(query: Tensor): Assignment;
  /** The mean of the scales' H_sample − H_mean, a scalar; to be called after the last scale, once. */
  entropyLoss(): Tensor;
}
