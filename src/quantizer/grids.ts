/** Height and width of one scale's grid of tokens. */
export interface Grid {
  /** Rows. */
  readonly height: number;
  /** Columns. */
  readonly width: number;
}

/** The patch sizes of a 16× tokenizer: 680 tokens for 256² (the paper's f16). */
export const PATCH_SIZES_F16: readonly number[] = [1, 2, 3, 4, 5, 6, 8, 10, 13, 16];

/** The patch sizes of an 8× tokenizer: 2,240 tokens for 256² (the paper's f8). */
export const PATCH_SIZES_F8: readonly number[] = [1, 2, 3, 4, 6, 9, 13, 18, 24, 32];

/**
 * The grid of every scale for a latent of `height` × `width`: each patch size scaled per axis by the
 * latent's size over the last patch size, `max(1, round(p·H/H₀))`, and the last grid the latent itself
 * (SPEC section 3; for the square that the patch sizes were made for, those themselves).
 *
 * @throws {RangeError} where a size is no whole number from 1 up.
 *
 * @example
 * ```ts
 * import { gridsFor, PATCH_SIZES_F8 } from "@coda/tokenizer";
 *
 * const grids = gridsFor(PATCH_SIZES_F8, 32, 48);
 * console.assert(grids[9].height === 32 && grids[9].width === 48);
 * ```
 */
export function gridsFor(patchSizes: readonly number[], height: number, width: number): Grid[] {
  for (const size of [height, width, ...patchSizes]) {
    if (!Number.isInteger(size) || size < 1) {
      throw new RangeError(
        `gridsFor: ${size} is no size: latents and patches are whole, from 1 up`,
      );
    }
  }
  const last = patchSizes[patchSizes.length - 1];
  const scaled = (patch: number, size: number) => Math.max(1, Math.round(patch * size / last));
  return patchSizes.map((patch, i) =>
    i === patchSizes.length - 1
      ? { height, width }
      : { height: scaled(patch, height), width: scaled(patch, width) }
  );
}

/** How many tokens all grids hold together. */
export function tokenCount(grids: readonly Grid[]): number {
  return grids.reduce((count, { height, width }) => count + height * width, 0);
}
