import { basename } from "@std/path";
import { isHubReference } from "../checkpoint/mod.ts";
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

/** What tells a run's files from others, by what messages call them; each a {@link digestOf}. */
export type Digests = Readonly<Record<string, string>>;

/** The images that a run is about. */
export interface RunFiles {
  /** Those that it trains on. */
  readonly images: readonly string[];
  /** Those that it evaluates. */
  readonly heldOut: readonly string[];
}

/** Those of its images, and of its held-out ones and the weight files of its losses where it has any. */
export async function digestsOf(
  { images, heldOut }: RunFiles,
  { vgg, lpips, dino }: ResolvedOptions,
): Promise<Digests> {
  const networks = [vgg, lpips, dino].filter((file) => file !== undefined);
  return {
    images: await digestOf(images),
    ...heldOut.length > 0 && { "held-out images": await digestOf(heldOut) },
    ...networks.length > 0 && { networks: await digestOf(networks) },
  };
}

/**
 * Names and sizes of files, as one hash: the order of samples hangs on the first, and an image that was
 * changed shows in the second. A file on a hub has its reference.
 */
async function digestOf(files: readonly string[]): Promise<string> {
  const lines = await Promise.all(
    files.map(async (file) =>
      isHubReference(file) ? file : `${basename(file)} ${(await Deno.stat(file)).size}`
    ),
  );
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(lines.join("\n")));
  return new Uint8Array(hash).toHex();
}
