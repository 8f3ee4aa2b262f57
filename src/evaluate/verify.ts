import type { Image } from "../data/mod.ts";
import type { Grid } from "../quantizer/mod.ts";
import type { Tokenizer } from "../tokenizer.ts";
import { requireModel, type Tokens } from "../tokens/mod.ts";

/** A token that is another one today. */
export interface TokenDifference {
  /** Its row in the scale's grid. */
  readonly row: number;
  /** Its column. */
  readonly column: number;
  /** The code in the tokens given. */
  readonly given: number;
  /** The code that the image has here. */
  readonly found: number;
  /** How far the logit of the code given lies below the largest. */
  readonly margin: number;
}

/** One scale of tokens that were made again. */
export interface ScaleVerification {
  /** Its grid. */
  readonly grid: Grid;
  /** The least of what all its tokens' logits exceed the second largest by. */
  readonly leastMargin: number;
  /** The tokens that differ. */
  readonly differences: readonly TokenDifference[];
}

/** What came of making an image's tokens again. */
export interface Verification {
  /**
   * `equal`; `near ties`, where in the first scale that differs every margin is within the tolerance;
   * or `different`. Scales after the first that differs quantize what it left over, and prove nothing.
   */
  readonly verdict: "equal" | "near ties" | "different";
  /**
   * Whether the tokens given say that they were made in half, and whether those found were: where one was
   * and the other was not, some codes differ by that.
   */
  readonly half: { readonly given: boolean; readonly found: boolean };
  /** The scales, coarse to fine. */
  readonly scales: readonly ScaleVerification[];
}

/** Logits of rounding: the adapters at hand agree to a hundredth of it. */
const TOLERANCE = 1e-3;

/**
 * Makes an image's tokens again and compares them with those given, scale by scale. Tokens that were made in
 * half are to be compared by a tokenizer in half.
 *
 * @param tokens Tokens of this image by this tokenizer, whole or a prefix of the scales.
 * @param options.tolerance The largest margin, in logits, of a near tie; 0.001.
 * @throws {TokenFileError} where another model made them.
 * @throws {RangeError} where they are those of an image of another size.
 *
 * @example
 * ```ts
 * import { Tokenizer, verifyTokens } from "@coda/tokenizer";
 *
 * using tokenizer = await Tokenizer.load();
 * const image = { width: 16, height: 16, data: new Uint8Array(16 * 16 * 3).fill(99) };
 * const { verdict } = await verifyTokens(tokenizer, image, await tokenizer.encode(image));
 * console.assert(verdict === "equal");
 * ```
 */
export async function verifyTokens(
  tokenizer: Tokenizer,
  image: Image,
  tokens: Tokens,
  { tolerance = TOLERANCE, file }: { tolerance?: number; file?: string } = {},
): Promise<Verification> {
  requireModel(tokens, tokenizer.modelId, file);
  expectSameSize(tokens, image);
  const { tokens: found, margins, behind } = await tokenizer.encodeWithMargins(image, tokens);
  const scales = tokens.indices.map((indices, scale) => ({
    grid: tokens.grids[scale],
    leastMargin: margins[scale].reduce((least, margin) => Math.min(least, margin), Infinity),
    differences: differencesOf(indices, found.indices[scale], behind[scale], tokens.grids[scale]),
  }));
  const first = scales.find(({ differences }) => differences.length > 0);
  const isTie = first?.differences.every(({ margin }) => margin <= tolerance);
  return {
    verdict: !first ? "equal" : isTie ? "near ties" : "different",
    half: { given: tokens.half ?? false, found: found.half ?? false },
    scales,
  };
}

function differencesOf(
  given: Uint32Array,
  found: Uint32Array,
  margins: Float32Array,
  { width }: Grid,
): TokenDifference[] {
  const differences: TokenDifference[] = [];
  given.forEach((code, i) => {
    if (code === found[i]) return;
    const place = { row: Math.floor(i / width), column: i % width };
    differences.push({ ...place, given: code, found: found[i], margin: margins[i] });
  });
  return differences;
}

function expectSameSize(tokens: Tokens, image: Image): void {
  if (tokens.width === image.width && tokens.height === image.height) return;
  throw new RangeError(
    `the tokens are of an image of ${tokens.width}×${tokens.height}, this one is ` +
      `${image.width}×${image.height}: give the image that was encoded`,
  );
}
