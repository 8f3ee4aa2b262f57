import { basename } from "@std/path";
import { centerCrop, type Image, randomCrop, resizeShortSide } from "../data/mod.ts";
import { Random } from "../tensor/mod.ts";
import type { ProtocolName } from "./protocol_names.ts";

/** How images are cut and what is taken of their latents. */
export interface Protocol {
  /** What it does, in words. */
  readonly words: string;
  /** Cuts an image. */
  readonly cut: (image: Image, random: Random) => Image;
  /** Whether the latent is drawn from its posterior, and the result is not rounded to 8 bits. */
  readonly isSampled: boolean;
}

/** The protocols by name (SPEC section 7). */
export const PROTOCOLS: Readonly<Record<ProtocolName, Protocol>> = {
  "center-256": {
    words: "short side 256 by Lanczos, centre crop; mean latent; 8 bits",
    cut: (image) => centerCrop(resizeShortSide(image, 256), 256, 256),
    isSampled: false,
  },
  "coda-official": {
    words: "short side 288 by Lanczos, random crop of 256; sampled latent; not rounded",
    cut: (image, random) =>
      randomCrop(resizeShortSide(image, 288), 256, 256, () => random.uniform()),
    isSampled: true,
  },
  "original": {
    words: "images as they are; mean latent; 8 bits",
    cut: (image) => image,
    isSampled: false,
  },
};

/** The random numbers of one image, by its name: neither order nor company of images matters. */
export function randomOf(file: string, seed: number): Random {
  let hash = 0x811c9dc5; // FNV-1a
  for (const byte of new TextEncoder().encode(basename(file))) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return new Random(seed, hash >>> 0);
}
