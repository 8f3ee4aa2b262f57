/** How a codebook is used (SPEC section 7). */
export interface CodebookUse {
  /** The share of codes that were chosen at least once, 0 to 1. */
  readonly used: number;
  /** exp(H) of the codes' frequencies: V where all are equally frequent, 1 where it is always the same. */
  readonly perplexity: number;
}

/**
 * The use of a codebook over chosen codes; 0 of it where there are none.
 *
 * @param indices Codes, in as many parts as there are.
 * @param codebookSize V.
 * @throws {RangeError} where an index is V or more.
 *
 * @example
 * ```ts
 * import { codebookUse } from "@coda/tokenizer";
 *
 * const { used, perplexity } = codebookUse([new Uint32Array([0, 0, 2, 2])], 4);
 * console.assert(used === 0.5 && Math.abs(perplexity - 2) < 1e-12);
 * ```
 */
export function codebookUse(indices: Iterable<Uint32Array>, codebookSize: number): CodebookUse {
  const counts = new Float64Array(codebookSize);
  let total = 0;
  for (const part of indices) {
    for (const index of part) {
      if (index >= codebookSize) {
        throw new RangeError(`codebookUse: index ${index} in a codebook of ${codebookSize}`);
      }
      counts[index]++;
    }
    total += part.length;
  }
  let used = 0;
  let entropy = 0;
  for (const count of counts) {
    if (count === 0) continue;
    used++;
    entropy -= (count / total) * Math.log(count / total);
  }
  return { used: used / codebookSize, perplexity: used === 0 ? 0 : Math.exp(entropy) };
}
