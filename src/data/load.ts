import sharp, { type Metadata, type Sharp } from "sharp";
import { ImageError } from "./errors.ts";
import type { Image } from "./image.ts";

/** Formats that are decoded, as sharp calls them; `heif` is AVIF. */
const FORMATS = ["jpeg", "png", "webp", "tiff", "gif", "heif"];
/** An image file larger than this is refused unread. */
const MAX_FILE_BYTES = 2 ** 30;

/** Choices for {@link loadImage}. */
export interface LoadOptions {
  /** The most pixels an image may have; 64 · 2²⁰ by default. */
  maxPixels?: number;
  /** A name for messages where the image is given as bytes. */
  file?: string;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0];
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    const { isFile, size } = await Deno.stat(path);
    if (isFile && size <= MAX_FILE_BYTES) return await Deno.readFile(path);
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound
      ? "there is no such file; check the path"
      : `cannot be read: ${firstLine(cause)}`;
    throw new ImageError(path, why, cause);
  }
  throw new ImageError(
    path,
    `is a folder or larger than ${MAX_FILE_BYTES} bytes; name an image file`,
  );
}

async function checkKind(input: Sharp, maxPixels: number, file: string): Promise<void> {
  let metadata: Metadata;
  try {
    metadata = await input.metadata();
  } catch (cause) {
    throw new ImageError(
      file,
      `is not an image or its beginning is damaged (${firstLine(cause)}); ` +
        `expected JPEG, PNG, WebP, TIFF, GIF or AVIF`,
      cause,
    );
  }
  const { format, width, height } = metadata;
  if (!FORMATS.includes(format)) {
    throw new ImageError(
      file,
      `is of format ${format}, expected JPEG, PNG, WebP, TIFF, GIF or AVIF; convert it`,
    );
  }
  if (width * height > maxPixels) {
    throw new ImageError(
      file,
      `is ${width}×${height}, more than ${maxPixels} pixels; make it smaller or raise the limit`,
    );
  }
}

/**
 * Decodes an image to 8-bit sRGB. EXIF orientation is applied, transparent parts are laid on white,
 * grey becomes RGB, 16 bits become 8, CMYK and other colour profiles are converted to sRGB, and of an
 * animation the first frame is taken.
 *
 * @param source A path, or the bytes of an image file.
 * @throws {ImageError} If there is no such file, it is empty, cut short, damaged, no image, or has
 * more pixels than allowed.
 *
 * @example
 * ```ts
 * import { loadImage, saveImage } from "@coda/tokenizer";
 *
 * const path = `${await Deno.makeTempDir()}/red.png`;
 * await saveImage(path, { width: 1, height: 1, data: new Uint8Array([255, 0, 0]) });
 * const image = await loadImage(path);
 * console.assert(image.data.join() === "255,0,0");
 * ```
 */
export async function loadImage(
  source: string | Uint8Array,
  options: LoadOptions = {},
): Promise<Image> {
  const file = options.file ?? (typeof source === "string" ? source : "(bytes)");
  const bytes = typeof source === "string" ? await readBytes(source) : source;
  if (bytes.length === 0) throw new ImageError(file, "has no bytes; fetch it again");
  const input = sharp(bytes, { failOn: "error", limitInputPixels: false });
  await checkKind(input, options.maxPixels ?? 64 * 2 ** 20, file);
  try {
    const { data, info } = await input
      .autoOrient()
      .flatten({ background: "#ffffff" })
      .toColourspace("srgb")
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    const { width, height } = info;
    return { width, height, data: new Uint8Array(data.buffer, data.byteOffset, data.length) };
  } catch (cause) {
    throw new ImageError(
      file,
      `is cut short or damaged (${firstLine(cause)}); fetch it again`,
      cause,
    );
  }
}
