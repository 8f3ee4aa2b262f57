import { add, argmax, gather, matmul, reshape, softmax, stopGradient, sub } from "../ops/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import type { Assigner, Assignment, CodebookViews } from "./assignment.ts";
import { entropyLoss } from "./entropy_loss.ts";
import { meanOf } from "./mean_of.ts";

/** The logits of tokens over the codebook: `query` [..., d], scaled already, and `keys` [V, d] give [..., V]. */
export function logits(query: Tensor, keys: Tensor): Tensor {
  return matmul(query, keys, { transposeB: true });
}

/**
 * Assigns tokens to codes by simple operations on each scale's whole matrix of logits (SPEC section 3):
 * the meaning of the streamed version, and the faster one for a small codebook.
 */
export class ComposedAssigner implements Assigner {
  #views: CodebookViews;
  #entropyLosses: Tensor[] = [];

  /** Begins with the coarsest scale. */
  constructor(views: CodebookViews) {
    this.#views = views;
  }

  assign(query: Tensor): Assignment {
    const { keys, values } = this.#views;
    const l = logits(query, keys);
    const index = argmax(l);
    const hard = gather(values, index);
    // The straight-through one-hot times V: in value the chosen rows, in gradient the softmax's.
    const soft = matmul(softmax(l), stopGradient(values));
    const zHat = add(hard, sub(soft, stopGradient(soft)));
    this.#entropyLosses.push(entropyLoss(reshape(l, [index.size, keys.shape[0]])));
    return { index, hard, zHat };
  }

  entropyLoss(): Tensor {
    return meanOf(this.#entropyLosses);
  }
}
