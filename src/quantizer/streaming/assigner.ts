import { add, affine, concat, gather, reshape, sum } from "../../ops/mod.ts";
import { sumByRow } from "../../ops/scatter_add.ts";
import {
  type Cotangents,
  empty,
  full,
  noGrad,
  record,
  recordParts,
  type Shape,
  share,
  type Tensor,
  zeros,
} from "../../tensor/mod.ts";
import type { Assigner, Assignment, CodebookViews } from "../assignment.ts";
import {
  fillTokens,
  fillWeights,
  fillWeightSums,
  keyGradient,
  queryGradient,
  type TokenNumbers,
  tokenNumbers,
} from "./passes.ts";
import { countOf, makePyramid, placeRows, type Pyramid, pyramidOf, tensorsOf } from "./pyramid.ts";
import { search } from "./search.ts";

/** As the numbers of tokens that no gradient reached: their logits lie so far below m that they weigh nothing. */
const UNREACHED = 1e30;

/**
 * The same as `ComposedAssigner` without a tensor of tokens × codes: every pass over the codebook computes
 * the logits again (as Dao et al. 2022 do for attention), forward and backward, so that memory is of
 * the order of tokens + V. Codes and ẑ are the same to the bit.
 *
 * A scale's residual needs the codes of the scale before it, and the gradient of its ẑ that of the queries of
 * the scale after it: the searches and the gradients of queries run scale by scale. Every other pass over the
 * codebook runs once, for the tokens of all scales: behind the last search, or behind the last gradient of
 * queries.
 */
export class StreamedAssigner implements Assigner {
  #pyramid: Pyramid;
  #values: Tensor[];
  #keys: TokenNumbers[];
  #entropyLosses: Tensor[] = [];

  /**
   * Begins with the coarsest scale.
   *
   * @param views keys [V, d] and values [V, c], c and d multiples of 4, at most 32.
   * @param counts how many tokens each scale has.
   */
  constructor(views: CodebookViews, counts: readonly number[]) {
    this.#pyramid = makePyramid(views, counts);
    this.#values = takeValues(this.#pyramid);
    this.#keys = takeKeys(this.#pyramid);
  }

  assign(query: Tensor): Assignment {
    const pyramid = this.#pyramid;
    const { gpu } = query;
    using scope = gpu.scope();
    const scale = this.#entropyLosses.length;
    const { index, largest } = search(query, pyramid.keys);
    placeRows(pyramid, scale, query, pyramid.query);
    placeRows(pyramid, scale, index, pyramid.index);
    placeRows(pyramid, scale, largest, pyramid.largest);
    const values = this.#values[scale];
    const hard = record("valuesOfScale", {
      inputs: [values],
      output: noGrad(() => gather(pyramid.values, index)),
      backward: (dy) => [reshape(dy, values.shape)],
    });
    const zHat = share(hard);
    gpu.track(zHat);
    const { numbers, scaled } = this.#keys[scale];
    const entropyLoss = empty(gpu, []); // its number is part of the sum that entropyLoss() makes
    recordParts("assignStreamed", {
      inputs: [hard, query, numbers, scaled],
      outputs: [zHat, entropyLoss],
      saved: tensorsOf(pyramid),
      backward: (cotangents, saved, needs) =>
        gradientsOfScale(pyramidOf(pyramid, saved), scale, cotangents, query.shape, needs),
    });
    this.#entropyLosses.push(scope.keep(entropyLoss));
    return { index: scope.keep(index), hard: scope.keep(hard), zHat: scope.keep(zHat) };
  }

  entropyLoss(): Tensor {
    const losses = this.#entropyLosses;
    const scales = losses.length;
    using scope = this.#pyramid.keys.gpu.scope();
    const output = noGrad(() => {
      const entropies = fillTokens(this.#pyramid);
      const terms = fillWeights(this.#pyramid);
      fillWeightSums(this.#pyramid);
      return affine(add(sum(entropies), sum(terms)), 1 / scales, 0);
    });
    return scope.keep(record("entropyLoss", {
      inputs: losses,
      output,
      backward: (dy) => {
        const part = affine(dy, 1 / scales, 0);
        return losses.map(() => part);
      },
    }));
  }
}

/**
 * Tensors without numbers, [tokens, channels] of each scale, that stand in the graph before all scales: their
 * operation is reached backward when all scales have been. What a scale hands back for them is not
 * summed over its tokens yet; that is done once, for those of all scales.
 */
function placesOf(pyramid: Pyramid, channels: number): Tensor[] {
  return pyramid.starts.slice(1).map((_, scale) =>
    empty(pyramid.keys.gpu, [countOf(pyramid, scale), channels])
  );
}

/** What all scales handed back for their places, [tokens, channels]; `unreached` where no gradient was. */
function joined(places: readonly Tensor[], found: Cotangents, unreached: number): Tensor {
  return concat(places.map(({ gpu, shape }, i) => found[i] ?? full(gpu, shape, unreached)), 0);
}

/** Places for the scales' values: a scale hands back the gradients of those that its tokens chose. */
function takeValues(pyramid: Pyramid): Tensor[] {
  const { values, index } = pyramid;
  const [codes, channels] = values.shape;
  const places = placesOf(pyramid, channels);
  recordParts("takeValues", {
    inputs: [values],
    outputs: places,
    saved: [index],
    backward: (found, [index]) => [sumByRow(index, joined(places, found, 0), codes)],
  });
  return places;
}

/** Places for the scales' keys: a scale hands back what the cotangents of its logits are made of. */
function takeKeys(pyramid: Pyramid): TokenNumbers[] {
  const { keys, values } = pyramid;
  const numbers = placesOf(pyramid, 4);
  const scaled = placesOf(pyramid, values.shape[1]);
  recordParts("takeKeys", {
    inputs: [keys],
    outputs: [...numbers, ...scaled],
    saved: tensorsOf(pyramid),
    backward: (found, saved) => [
      keyGradient(pyramidOf(pyramid, saved), {
        numbers: joined(numbers, found, UNREACHED),
        scaled: joined(scaled, found.slice(numbers.length), 0),
      }),
    ],
  });
  return numbers.map((one, scale) => ({ numbers: one, scaled: scaled[scale] }));
}

/** What a scale hands back, from the gradients of its ẑ and of its entropy loss: those of its inputs. */
function gradientsOfScale(
  pyramid: Pyramid,
  scale: number,
  [dz, de]: Cotangents,
  shape: Shape,
  [, needsQuery, needsKeys]: readonly boolean[],
): (Tensor | null)[] {
  const { gpu } = pyramid.keys;
  if (!needsQuery && !needsKeys) return [dz ?? null, null, null, null];
  const channels = pyramid.values.shape[1];
  const found = tokenNumbers(
    pyramid,
    scale,
    dz ?? zeros(gpu, [countOf(pyramid, scale), channels]),
    de ?? zeros(gpu, []),
  );
  const query = needsQuery ? reshape(queryGradient(pyramid, scale, found), shape) : null;
  return [dz ?? null, query, found.numbers, found.scaled];
}
