import { type Image, loadImage } from "../../data/mod.ts";
import { webp } from "../../data/webp.ts";
import type { Raster } from "../../metrics/mod.ts";
import type { Grid } from "../../quantizer/mod.ts";
import type { Tokenizer } from "../../tokenizer.ts";
import type { Size } from "../../tokens/mod.ts";
import type { Reconstructed, Reconstructor } from "../reconstruct.ts";
import type { Chosen } from "./choose.ts";
import { errorMap } from "./error_map.ts";
import { gridsOf } from "./grids.ts";
import { shrunk } from "./shrink.ts";

/** An image in all its forms, each as the `data:` address of a picture. */
export interface Pictures {
  /** As the protocol cuts it. */
  readonly original: string;
  /** Through the continuous VAE. */
  readonly continuous: string;
  /** Where that differs from the original. */
  readonly continuousError: string;
  /** From its tokens. */
  readonly discrete: string;
  /** Where that differs. */
  readonly discreteError: string;
  /** From the first 1, 2, … scales of its tokens, all but the last. */
  readonly prefixes: readonly string[];
}

/** A chosen image as the page shows it. */
export interface ShownImage extends Chosen {
  /** Its pictures. */
  readonly pictures: Pictures;
  /** Their size. */
  readonly size: Size;
  /** The grid of each scale. */
  readonly grids: readonly Grid[];
  /** What the grids cover, in sizes of the image: 1 but where it was filled up. */
  readonly covered: Size;
  /** How many of its tokens are others now than when it was measured, as on another adapter. */
  readonly changed: number;
}

/** The longest side of a picture, in pixels; larger images are shrunk to it. */
export const PICTURE_SIDE = 512;
/** The quality of photographs, in WebP's figures; error maps lose nothing. */
export const PICTURE_QUALITY = 90;

/** Makes an image again and draws it in all its forms. */
export async function showImage(
  tokenizer: Tokenizer,
  models: Reconstructor,
  chosen: Chosen,
  maxPixels: number,
): Promise<ShownImage> {
  const { file, indices } = chosen.image;
  const found = await models.reconstruct(await loadImage(file, { maxPixels }), file);
  const { width, height } = found.original;
  const { reduction } = tokenizer.vae;
  const [columns, rows] = [width, height].map((side) => Math.ceil(side / reduction));
  const { width: across, height: down } = shrunk(found.original, 3, PICTURE_SIDE);
  return {
    ...chosen,
    pictures: await picturesOf(found),
    size: { width: across, height: down },
    grids: gridsOf(tokenizer, found.original),
    covered: { width: columns * reduction / width, height: rows * reduction / height },
    changed: differing(found.indices, indices),
  };
}

async function picturesOf(found: Reconstructed): Promise<Pictures> {
  const { original, continuous, discrete } = found;
  const error = (raster: Raster) => address(errorMap(raster, original, PICTURE_SIDE), "lossless");
  const prefixes: string[] = [];
  for (const prefix of found.prefixes) prefixes.push(await photograph(prefix));
  return {
    original: await photograph(original),
    continuous: await photograph(continuous),
    continuousError: await error(continuous),
    discrete: await photograph(discrete),
    discreteError: await error(discrete),
    prefixes,
  };
}

function photograph(raster: Raster): Promise<string> {
  const { width, height, data } = shrunk(raster, 3, PICTURE_SIDE);
  const bytes = new Uint8Array(Uint8ClampedArray.from(data)); // rounds
  return address({ width, height, data: bytes }, PICTURE_QUALITY);
}

/** A picture's `data:` address. */
export async function address(image: Image, quality: number | "lossless"): Promise<string> {
  return `data:image/webp;base64,${(await webp(image, quality)).toBase64()}`;
}

function differing(found: readonly Uint32Array[], kept: readonly Uint32Array[]): number {
  return found.reduce(
    (sum, codes, scale) => sum + codes.filter((code, i) => code !== kept[scale]?.[i]).length,
    0,
  );
}
