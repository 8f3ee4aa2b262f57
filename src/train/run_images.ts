import { basename } from "@std/path";
import { ImageFolder } from "../data/mod.ts";
import type { AdaptHooks } from "./hooks.ts";
import type { ResolvedOptions } from "./options.ts";

/** The images of a run, with the recipe's augmentation: short side to 288 for crops of 256. */
export async function openImages(
  { images, imageSize, seed }: ResolvedOptions,
  { onSkip }: AdaptHooks,
): Promise<ImageFolder> {
  const shortSide = Math.round((imageSize * 288) / 256);
  return await ImageFolder.open(images, { size: imageSize, shortSide, seed, onSkip });
}

/**
 * Names and sizes of the run's images, as one hash: the order of samples hangs on the first, and an
 * image that was changed shows in the second.
 */
export async function digestOf(files: readonly string[]): Promise<string> {
  const lines = await Promise.all(
    files.map(async (file) => `${basename(file)} ${(await Deno.stat(file)).size}`),
  );
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(lines.join("\n")));
  return new Uint8Array(hash).toHex();
}
