import { add, argmax, gather, matmul, reshape, softmax, stopGradient, sub } from "../ops/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import type { Assignment, CodebookViews } from "./assignment.ts";
import { entropyLoss } from "./entropy_loss.ts";

/** The logits of tokens over the codebook: `query` [..., d], scaled already, and `keys` [V, d] give [..., V]. */
export function logits(query: Tensor, keys: Tensor): Tensor {
  return matmul(query, keys, { transposeB: true });
}

/**
 * Assigns tokens to codes by simple operations on the whole matrix of logits (SPEC section 3): the
 * meaning of the streamed version, and the faster one for a small codebook.
 */
export function assignComposed(query: Tensor, views: CodebookViews): Assignment {
  const l = logits(query, views.keys);
  const index = argmax(l);
  const hard = gather(views.values, index);
  // The straight-through one-hot times V: in value the chosen rows, in gradient the softmax's.
  const soft = matmul(softmax(l), stopGradient(views.values));
  const zHat = add(hard, sub(soft, stopGradient(soft)));
  const tokens = reshape(l, [index.size, views.keys.shape[0]]);
  return { index, hard, zHat, entropyLoss: entropyLoss(tokens) };
}
