import { dirname } from "@std/path";
import { WriteError } from "../../checkpoint/errors.ts";
import { makeFolder, writeFileAtomic } from "../../checkpoint/atomic.ts";
import type { Tokenizer } from "../../tokenizer.ts";
import type { EvaluationReport } from "../evaluate.ts";
import type { Reconstructor } from "../reconstruct.ts";
import type { Chosen } from "./choose.ts";
import { showCodes } from "./codes.ts";
import { pageOf } from "./page.ts";
import { isOfImage } from "../image_error.ts";
import { showImage, type ShownImage } from "./show.ts";

/** What a page is made of. */
export interface PageInput {
  /** What was measured. */
  readonly report: EvaluationReport;
  /** The tokenizer. */
  readonly tokenizer: Tokenizer;
  /** What makes the chosen images again, with the prefixes of their scales. */
  readonly models: Reconstructor;
  /** The images to show. */
  readonly chosen: readonly Chosen[];
  /** The grid of each scale, in words. */
  readonly grids: readonly string[];
  /** How often each scale chose each code. */
  readonly counts: readonly Float64Array[];
  /** The pixels of an image in the mean. */
  readonly meanPixels: number;
  /** The most pixels of an image's file. */
  readonly maxPixels: number;
  /** Ends it before the next image, or the next of the codes; then nothing is written. */
  readonly signal?: AbortSignal;
  /** Told of how much is done. */
  readonly onPart?: (done: number, total: number) => void;
}

/**
 * Writes the page of an evaluation. An image that can no longer be shown is left out: its file may be
 * gone by now, or memory short.
 *
 * @returns Whether it was written: not where it was stopped.
 */
export async function writePage(path: string, input: PageInput): Promise<boolean> {
  const { tokenizer, chosen, signal, onPart } = input;
  const images: ShownImage[] = [];
  const unshown: string[] = [];
  const parts = chosen.length + 1; // the codes are the last one
  onPart?.(0, parts);
  for (const image of chosen) {
    if (signal?.aborted) return false;
    const shown = await shownOr(input, image);
    if (shown) images.push(shown);
    else unshown.push(image.image.file);
    onPart?.(images.length + unshown.length, parts);
  }
  if (signal?.aborted) return false;
  const codes = await showCodes(tokenizer, images, signal);
  if (codes === undefined || signal?.aborted) return false;
  const { quantizer } = tokenizer;
  await writeFileAtomic(path, await pageOf({ ...input, quantizer, images, unshown, codes }));
  onPart?.(parts, parts);
  return true;
}

/** An image in all its forms; undefined where its own error prevents that. */
async function shownOr(
  { tokenizer, models, maxPixels }: PageInput,
  chosen: Chosen,
): Promise<ShownImage | undefined> {
  try {
    return await showImage(tokenizer, models, chosen, maxPixels);
  } catch (error) {
    if (isOfImage(error)) return undefined;
    throw error;
  }
}

/** Proves that a page can be written, before the work for it. @throws {WriteError} where not. */
export async function expectWritable(path: string): Promise<void> {
  await makeFolder(dirname(path));
  const info = await Deno.stat(path).catch(() => undefined);
  if (info?.isDirectory) {
    throw new WriteError(path, "a folder of that name is in the way; choose another path");
  }
}
