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
  for (const part of indices) {
    for (const index of part) {
      if (index >= codebookSize) {
        throw new RangeError(`codebookUse: index ${index} in a codebook of ${codebookSize}`);
      }
      counts[index]++;
    }
  }
  return useOfCounts(counts);
}

/**
 * The use of a codebook from how often each code was chosen; 0 of it where none was.
 *
 * @param counts One number a code.
 *
 * @example
 * ```ts
 * import { useOfCounts } from "@coda/tokenizer";
 *
 * console.assert(useOfCounts([5, 0, 5, 0]).used === 0.5);
 * ```
 */
export function useOfCounts(counts: ArrayLike<number>): CodebookUse {
  let total = 0;
  for (let code = 0; code < counts.length; code++) total += counts[code];
  let used = 0;
  let entropy = 0;
  for (let code = 0; code < counts.length; code++) {
    if (counts[code] === 0) continue;
    used++;
    entropy -= (counts[code] / total) * Math.log(counts[code] / total);
  }
  return { used: used / counts.length, perplexity: used === 0 ? 0 : Math.exp(entropy) };
}
