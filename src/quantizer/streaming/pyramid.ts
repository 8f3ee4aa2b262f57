import { stridesOf } from "../../ops/broadcast.ts";
import { writeStrided } from "../../ops/strided.ts";
import { constants, empty, type Tensor } from "../../tensor/mod.ts";
import type { CodebookViews } from "../assignment.ts";

/** The tokens of all scales, one scale's after the other, with the codebook that they are assigned to. */
export interface Pyramid extends CodebookViews {
  /** Each scale's first token, and last the count of all. */
  readonly starts: readonly number[];
  /** The same on the GPU, u32 [scales + 1]. */
  readonly startsOnGpu: Tensor;
  /** [tokens, d]. */
  readonly query: Tensor;
  /** The chosen codes, u32 [tokens]. */
  readonly index: Tensor;
  /** Each token's largest logit, [tokens]. */
  readonly largest: Tensor;
  /** Numbers about each token's two softmaxes, [tokens, 4]. */
  readonly statistics: Tensor;
  /** Each token's Σ e·v, [tokens, c]. */
  readonly soft: Tensor;
  /** The derivative of each scale's Σ p̄ log(p̄ + ε) by its p̄, [scales, V]. */
  readonly weights: Tensor;
  /** Each token's Σ c·w, w being its scale's weights, [tokens]. */
  readonly weightSums: Tensor;
}

/** A pyramid whose scales have so many tokens; what is known of them is yet to be filled in. */
export function makePyramid(views: CodebookViews, counts: readonly number[]): Pyramid {
  const { keys: { gpu, shape: [codes, d] }, values: { shape: [, c] } } = views;
  const starts = [0];
  for (const count of counts) starts.push(starts.at(-1)! + count);
  const tokens = starts.at(-1)!;
  return {
    ...views,
    starts,
    startsOnGpu: constants(gpu, Uint32Array.from(starts), [starts.length]),
    query: empty(gpu, [tokens, d]),
    index: empty(gpu, [tokens], "u32"),
    largest: empty(gpu, [tokens]),
    statistics: empty(gpu, [tokens, 4]),
    soft: empty(gpu, [tokens, c]),
    weights: empty(gpu, [counts.length, codes]),
    weightSums: empty(gpu, [tokens]),
  };
}

/** How many tokens a scale has. */
export function countOf({ starts }: Pyramid, scale: number): number {
  return starts[scale + 1] - starts[scale];
}

/** Writes rows of one scale into those of all. */
export function placeRows(pyramid: Pyramid, scale: number, rows: Tensor, all: Tensor): void {
  const strides = stridesOf(all.shape);
  const flat = stridesOf(rows.shape);
  writeStrided("placeRows", rows, all, flat, pyramid.starts[scale] * strides[0]);
}

const TENSORS = [
  "keys",
  "values",
  "startsOnGpu",
  "query",
  "index",
  "largest",
  "statistics",
  "soft",
  "weights",
  "weightSums",
] as const;

/** The tensors of a pyramid, for an operation to save. */
export function tensorsOf(pyramid: Pyramid): Tensor[] {
  return TENSORS.map((name) => pyramid[name]);
}

/** The pyramid again, of the tensors that an operation has saved. */
export function pyramidOf({ starts }: Pyramid, saved: readonly Tensor[]): Pyramid {
  const tensors = Object.fromEntries(TENSORS.map((name, i) => [name, saved[i]]));
  return { ...tensors as Record<typeof TENSORS[number], Tensor>, starts };
}
