/** The demo's photographs, made small: tiles to train on, and pictures that training never sees. */
import { basename, join } from "@std/path";
import {
  centerCrop,
  crop,
  findImages,
  type Image,
  ImageError,
  loadImage,
  resizeShortSide,
  saveImage,
} from "../../../data/mod.ts";
import { Random } from "../../../tensor/mod.ts";
import { CommandError } from "../../errors.ts";

/** A photograph that is held out. */
export interface HeldOut {
  /** Its file name without the extension. */
  readonly name: string;
  /** Its middle, PICTURE_SIZE pixels each way. */
  readonly image: Image;
}

/** What the demo works on. */
export interface Photographs {
  /** The photographs that training never sees. */
  readonly heldOut: readonly HeldOut[];
  /** How many photographs it trains on. */
  readonly trained: number;
  /** How many tiles they were cut into. */
  readonly tiles: number;
}

/** How photographs are prepared. */
export interface PrepareOptions {
  /** The folder that gets the tiles. */
  readonly tilesFolder: string;
  /** Decides which are held out. */
  readonly seed: number;
  /** Told of each photograph that cannot be used. */
  readonly onSkip: (error: ImageError) => void;
  /** Ends it early. */
  readonly signal: AbortSignal;
}

/** The side of the held-out pictures, and the shorter side of all photographs. */
export const PICTURE_SIZE = 192;
/** Training crops of 64 are cut from these, so that they show as much detail as the pictures. */
const TILE_SIZE = 72;
/** How many photographs are held out, and how many there must be for that. */
const HELD_OUT = 4;
const LEAST = 2 * HELD_OUT;
/** More photographs than this are not looked at. */
const MOST = 60;

/**
 * Shrinks photographs, holds some out, and cuts the others into tiles.
 *
 * @throws {CommandError} where too few photographs can be used.
 */
export async function prepare(folder: string, options: PrepareOptions): Promise<Photographs> {
  const files = await findImages([folder]);
  const order = new Random(options.seed, 0).permutation(files.length).slice(0, MOST);
  const heldOut: HeldOut[] = [];
  let trained = 0;
  let tiles = 0;
  for (const index of order) {
    if (options.signal.aborted) break;
    const image = await small(files[index], options);
    if (!image) continue;
    if (heldOut.length < HELD_OUT) {
      const name = basename(files[index]).replace(/\.\w+$/, "");
      heldOut.push({ name, image: centerCrop(image, PICTURE_SIZE, PICTURE_SIZE) });
    } else {
      trained++;
      tiles += await cut(image, join(options.tilesFolder, String(trained).padStart(3, "0")));
    }
  }
  if (heldOut.length + trained < LEAST && !options.signal.aborted) {
    throw new CommandError(
      `${folder}: ${heldOut.length + trained} photographs can be used, ` +
        `the demo needs at least ${LEAST}; give it a folder with more`,
    );
  }
  return { heldOut, trained, tiles };
}

async function small(file: string, { onSkip }: PrepareOptions): Promise<Image | undefined> {
  try {
    return resizeShortSide(await loadImage(file), PICTURE_SIZE);
  } catch (error) {
    if (error instanceof RangeError) onSkip(new ImageError(file, error.message));
    else if (error instanceof ImageError) onSkip(error);
    else throw error;
    return undefined;
  }
}

/** Writes an image's tiles under names that begin so, and returns how many there are. */
async function cut(image: Image, prefix: string): Promise<number> {
  let count = 0;
  for (let top = 0; top + TILE_SIZE <= image.height; top += TILE_SIZE) {
    for (let left = 0; left + TILE_SIZE <= image.width; left += TILE_SIZE) {
      const tile = crop(image, top, left, TILE_SIZE, TILE_SIZE);
      await saveImage(`${prefix}-${count++}.png`, tile);
    }
  }
  return count;
}
