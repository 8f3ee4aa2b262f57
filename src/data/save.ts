import { extname } from "@std/path";
import sharp, { type Sharp } from "sharp";
import { writeFileAtomic } from "../checkpoint/atomic.ts";
import { ImageError } from "./errors.ts";
import type { Image } from "./image.ts";

/** Choices for {@link saveImage}. */
export interface SaveOptions {
  /** Quality of JPEG and WebP, 1 to 100; 95 by default. PNG loses nothing. */
  quality?: number;
}

function encoder(path: string, image: Sharp, quality: number): Sharp {
  switch (extname(path).toLowerCase()) {
    case ".png":
      return image.png();
    case ".jpg":
    case ".jpeg":
      return image.jpeg({ quality, chromaSubsampling: "4:4:4" });
    case ".webp":
      return image.webp({ quality });
    default:
      throw new ImageError(path, "has no extension of an image; use .png, .jpg, .jpeg or .webp");
  }
}

/**
 * Writes an image as PNG, JPEG or WebP, by the path's extension, whole or not at all.
 *
 * @throws {ImageError} If the extension is another or the format cannot hold so large an image.
 * @throws {RangeError} If `quality` is not a whole number from 1 to 100.
 * @throws {WriteError} If the file cannot be written.
 *
 * @example
 * ```ts
 * import { saveImage } from "@coda/tokenizer";
 *
 * const path = `${await Deno.makeTempDir()}/grey.webp`;
 * await saveImage(path, { width: 2, height: 2, data: new Uint8Array(12).fill(99) }, { quality: 80 });
 * console.assert((await Deno.stat(path)).size > 0);
 * ```
 */
export async function saveImage(
  path: string,
  image: Image,
  options: SaveOptions = {},
): Promise<void> {
  const { quality = 95 } = options;
  if (!Number.isInteger(quality) || quality < 1 || quality > 100) {
    throw new RangeError(`quality is ${quality}, expected a whole number from 1 to 100`);
  }
  const { width, height, data } = image;
  const raw = sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false });
  const encoding = encoder(path, raw, quality);
  let bytes: Uint8Array;
  try {
    bytes = await encoding.toBuffer();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
    throw new ImageError(path, `cannot be encoded at ${width}×${height} (${why}); use PNG`, cause);
  }
  await writeFileAtomic(path, bytes);
}
