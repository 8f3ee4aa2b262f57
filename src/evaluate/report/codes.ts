import type { Tokenizer } from "../../tokenizer.ts";
import { type Neighbour, neighboursOf } from "./neighbours.ts";
import { address, PICTURE_QUALITY, type ShownImage } from "./show.ts";
import { MOST_SWATCHES, swatchSheet } from "./swatches.ts";

/** The codes of the images that are shown, and what is near them. */
export interface ShownCodes {
  /** By code, its nearest others. */
  readonly neighbours: ReadonlyMap<number, readonly Neighbour[]>;
  /** Pictures of these and of their neighbours, where they are not too many. */
  readonly swatches?: { readonly codes: readonly number[]; readonly sheet: string };
}

/** How many neighbours of a code are shown. */
const NEIGHBOURS = 8;

/**
 * Finds the neighbours of all codes of some images, and draws the codes.
 *
 * @returns undefined where the signal ended it.
 */
export async function showCodes(
  tokenizer: Tokenizer,
  images: readonly ShownImage[],
  signal?: AbortSignal,
): Promise<ShownCodes | undefined> {
  try {
    return await codesOf(tokenizer, images, signal);
  } catch (error) {
    if (signal?.aborted && error === signal.reason) return undefined;
    throw error;
  }
}

async function codesOf(
  tokenizer: Tokenizer,
  images: readonly ShownImage[],
  signal?: AbortSignal,
): Promise<ShownCodes> {
  const codes = sorted(images.flatMap(({ image }) => image.indices.map((scale) => [...scale])));
  const found = await neighboursOf(tokenizer.quantizer, codes, NEIGHBOURS, signal);
  const neighbours = new Map(codes.map((code, i) => [code, found[i]]));
  const all = sorted([codes, found.flat().map(({ code }) => code)]);
  if (all.length === 0 || all.length > MOST_SWATCHES) return { neighbours };
  const sheet = await address(await swatchSheet(tokenizer, all, signal), PICTURE_QUALITY);
  return { neighbours, swatches: { codes: all, sheet } };
}

/** Each number once. */
function sorted(lists: readonly (readonly number[])[]): number[] {
  const all = new Set<number>();
  for (const list of lists) for (const number of list) all.add(number);
  return [...all].sort((a, b) => a - b);
}
