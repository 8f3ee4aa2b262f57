import { ImageError, ImageSizeError } from "../data/mod.ts";
import { OutOfMemoryError } from "../gpu/mod.ts";
import { NotFiniteError } from "../vae/mod.ts";

/** Whether an error is that of an image, not of what would fail for all of them. */
export function isOfImage(error: unknown): error is Error {
  return error instanceof ImageError || error instanceof ImageSizeError ||
    error instanceof NotFiniteError || error instanceof OutOfMemoryError;
}
