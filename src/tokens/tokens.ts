import type { Grid } from "../quantizer/mod.ts";
import { TokenFileError } from "./errors.ts";

/** Width and height of an image, in pixels. */
export interface Size {
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
}

/** An image as tokens: what a token file holds. */
export interface Tokens {
  /** Width of the original image in pixels. */
  readonly width: number;
  /** Height of the original image in pixels. */
  readonly height: number;
  /** Size of the image that the grids cover, where it is not the original's. */
  readonly decoded?: Size;
  /** Number of codes V; every index is below it. */
  readonly codebookSize: number;
  /** The model that made them: the first 32 hexadecimal digits of its {@link modelId}. */
  readonly modelId: string;
  /**
   * Whether the model was in half when it made them: then some codes are others than in float32, and they
   * are decoded as any. Files of format version 1 do not say so.
   */
  readonly half?: boolean;
  /** The grid of each scale, coarse to fine. A prefix of a model's scales is a coarser image. */
  readonly grids: readonly Grid[];
  /** The indices of each scale, row-major. */
  readonly indices: readonly Uint32Array[];
}

/** The most codes a token file's codebook may have. */
export const MAX_CODEBOOK = 2 ** 24;
/** The most rows or columns of a grid. */
export const MAX_GRID = 65_535;
/** The most scales. */
export const MAX_SCALES = 65_535;
/** The most pixels of an image, original or decoded. */
export const MAX_PIXELS = 2 ** 28;

/** Bits that one index takes: ⌈log₂ V⌉, and one where V is 1. */
export function bitsPerIndex(codebookSize: number): number {
  return Math.max(1, 32 - Math.clz32(codebookSize - 1));
}

function between(value: number, low: number, high: number): boolean {
  return Number.isInteger(value) && value >= low && value <= high;
}

function sizeProblem(what: string, { width, height }: Size): string | undefined {
  const ok = between(width, 1, MAX_PIXELS) && between(height, 1, MAX_PIXELS) &&
    width * height <= MAX_PIXELS;
  return ok
    ? undefined
    : `says the ${what} is ${width}×${height}, expected 1 to ${MAX_PIXELS} pixels`;
}

/** What is wrong with everything but the indices, or undefined. */
export function headerProblem(tokens: Omit<Tokens, "indices">): string | undefined {
  const { codebookSize, grids, decoded } = tokens;
  if (!between(codebookSize, 1, MAX_CODEBOOK)) {
    return `says its codebook has ${codebookSize} codes, expected 1 to ${MAX_CODEBOOK}`;
  }
  if (!between(grids.length, 1, MAX_SCALES)) {
    return `says it has ${grids.length} scales, expected 1 to ${MAX_SCALES}`;
  }
  const odd = grids.find((g) => !between(g.height, 1, MAX_GRID) || !between(g.width, 1, MAX_GRID));
  if (odd !== undefined) {
    return `has a grid of ${odd.height}×${odd.width}, expected 1 to ${MAX_GRID} each`;
  }
  return sizeProblem("image", tokens) ?? (decoded && sizeProblem("decoded image", decoded));
}

/** What is wrong with the indices, or undefined. */
export function indicesProblem({ codebookSize, grids, indices }: Tokens): string | undefined {
  if (indices.length !== grids.length) {
    return `has ${indices.length} scales of indices for ${grids.length} grids`;
  }
  for (let s = 0; s < grids.length; s++) {
    const { height, width } = grids[s];
    if (indices[s].length !== height * width) {
      return `has ${indices[s].length} indices at scale ${s}, its grid ${height}×${width} needs ` +
        `${height * width}`;
    }
    const beyond = indices[s].find((index) => index >= codebookSize);
    if (beyond !== undefined) {
      return `has index ${beyond} at scale ${s}, its codebook has ${codebookSize} codes`;
    }
  }
  return undefined;
}

/**
 * Checks that tokens were made by the model at hand: another model's codes mean other things.
 *
 * @param tokens The tokens.
 * @param modelId The model's id; the first 32 digits count.
 * @param file The tokens' file, for the message.
 * @throws {TokenFileError} If they are another model's.
 *
 * @example
 * ```ts
 * import { requireModel } from "@coda/tokenizer";
 *
 * const tokens = {
 *   width: 8,
 *   height: 8,
 *   codebookSize: 2,
 *   modelId: "0123456789abcdef0123456789abcdef",
 *   grids: [{ height: 1, width: 1 }],
 *   indices: [new Uint32Array([1])],
 * };
 * requireModel(tokens, "0123456789abcdef0123456789abcdef");
 * ```
 */
export function requireModel(tokens: Tokens, modelId: string, file = "(tokens)"): void {
  const ours = modelId.slice(0, 32).toLowerCase();
  if (tokens.modelId === ours) return;
  throw new TokenFileError(
    file,
    `was made by model ${tokens.modelId.slice(0, 8)}…, this is model ${ours.slice(0, 8)}…; ` +
      `decode it with the model that made it`,
  );
}
