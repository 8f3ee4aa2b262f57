import { basename } from "@std/path";
import { centerRegion, randomRegion } from "../data/crop.ts";
import type { Image } from "../data/mod.ts";
import { resizePart, shortSideSize } from "../data/resize.ts";
import { Random } from "../tensor/mod.ts";
import type { ProtocolName } from "./protocol_names.ts";

/** How images are cut and what is taken of their latents. */
export interface Protocol {
  /** What it does, in words. */
  readonly words: string;
  /** Cuts an image. */
  readonly cut: (image: Image, random: Random) => Image;
  /**
   * Whether the latent is drawn from its posterior, and results are cut off to 8 bits, as the official
   * evaluation does, where the others round. Networks see what is neither.
   */
  readonly isSampled: boolean;
}

/** The protocols by name (SPEC section 7). */
export const PROTOCOLS: Readonly<Record<ProtocolName, Protocol>> = {
  "center-256": {
    words: "short side 256 by Lanczos, centre crop; mean latent; 8 bits",
    cut: (image) => {
      const { width, height } = shortSideSize(image, 256);
      return resizePart(image, width, height, centerRegion({ width, height }, 256, 256));
    },
    isSampled: false,
  },
  "coda-official": {
    words: "short side 288 by Lanczos, random crop of 256; sampled latent; 8 bits, truncated",
    cut: (image, random) => {
      const { width, height } = shortSideSize(image, 288);
      const part = randomRegion({ width, height }, 256, 256, () => random.uniform());
      return resizePart(image, width, height, part);
    },
    isSampled: true,
  },
  "original": {
    words: "images as they are; mean latent; 8 bits",
    cut: (image) => image,
    isSampled: false,
  },
};

/** What an image's random numbers are for: its crop, or its latent. */
export type Purpose = "crop" | "latent";

/** Keeps an image's streams apart. */
const STREAMS: Readonly<Record<Purpose, number>> = { crop: 0, latent: 0x6c617465 };

/** A number of an image's name, without its folders: FNV-1a, 32 bits. */
export function nameHash(file: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(basename(file))) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash >>> 0;
}

/** The random numbers of one image, by its name: neither order nor company of images matters. */
export function randomOf(file: string, seed: number, purpose: Purpose): Random {
  return new Random(seed, (nameHash(file) ^ STREAMS[purpose]) >>> 0);
}
