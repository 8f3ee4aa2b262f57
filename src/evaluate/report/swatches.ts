import { floatToImage, type Image } from "../../data/mod.ts";
import { fromArray, noGrad } from "../../tensor/mod.ts";
import type { Tokenizer } from "../../tokenizer.ts";
import { shrunk } from "./shrink.ts";

/** The pixels along a side of a code's picture. */
export const SWATCH = 16;
/** Pictures in a row of the sheet. */
export const SHEET_COLUMNS = 32;
/** More codes than this have no pictures: they would take as long as many images. */
export const MOST_SWATCHES = 2048;

/** Positions of the latent along a side; the middle of what they become is taken. */
const LATENT = 4;
/** Codes that are decoded together. */
const BATCH = 32;

/**
 * A picture of each code: what the decoder makes of a latent that is that code everywhere (of a
 * multi-scale quantizer, the first scale's φ of it), from its middle. All on one sheet, row by row.
 *
 * @throws {DOMException} an AbortError, where the signal ended it before its last batch.
 */
export async function swatchSheet(
  tokenizer: Tokenizer,
  codes: readonly number[],
  signal?: AbortSignal,
): Promise<Image> {
  const rows = Math.ceil(codes.length / SHEET_COLUMNS);
  const width = SHEET_COLUMNS * SWATCH;
  const sheet = new Uint8Array(width * rows * SWATCH * 3);
  for (let start = 0; start < codes.length; start += BATCH) {
    signal?.throwIfAborted();
    const batch = codes.slice(start, start + BATCH);
    const side = LATENT * tokenizer.vae.reduction;
    const pixels = await noGrad(() => decoded(tokenizer, batch));
    batch.forEach((_, i) => {
      const values = pixels.subarray(i * side * side * 3, (i + 1) * side * side * 3);
      place(middle(floatToImage(values, side, side)), sheet, width, start + i);
    });
  }
  return { width, height: rows * SWATCH, data: sheet };
}

/** Latents that are one code each, as images: [codes, H, W, 3]. */
function decoded({ gpu, vae, quantizer }: Tokenizer, codes: readonly number[]) {
  using _scope = gpu.scope();
  const cells = LATENT * LATENT;
  const index = Uint32Array.from(
    { length: codes.length * cells },
    (_, i) => codes[Math.floor(i / cells)],
  );
  const indices = [fromArray(gpu, index, [codes.length, LATENT, LATENT])];
  const latent = quantizer.decode(indices, { height: LATENT, width: LATENT });
  return vae.decode(vae.unscaleLatent(latent)).readF32();
}

/** The middle half of a square image, as a swatch. */
function middle({ width, data }: Image): Uint8Array {
  const [from, side] = [Math.floor(width / 4), Math.ceil(width / 2)];
  const cut = Float32Array.from({ length: side * side * 3 }, (_, i) => {
    const [y, x] = [Math.floor(i / (side * 3)), i % (side * 3)];
    return data[(from + y) * width * 3 + from * 3 + x];
  });
  const small = shrunk({ width: side, height: side, data: cut }, 3, SWATCH);
  const swatch = new Uint8Array(SWATCH * SWATCH * 3);
  for (let i = 0; i < swatch.length; i++) {
    const [y, x] = [Math.floor(i / (SWATCH * 3)), Math.floor(i / 3) % SWATCH];
    const [row, column] = [y, x].map((n) => Math.floor(n * small.width / SWATCH));
    swatch[i] = small.data[(row * small.width + column) * 3 + i % 3];
  }
  return swatch;
}

function place(swatch: Uint8Array, sheet: Uint8Array, width: number, number: number): void {
  const left = number % SHEET_COLUMNS * SWATCH;
  const top = Math.floor(number / SHEET_COLUMNS) * SWATCH;
  for (let y = 0; y < SWATCH; y++) {
    const row = swatch.subarray(y * SWATCH * 3, (y + 1) * SWATCH * 3);
    sheet.set(row, ((top + y) * width + left) * 3);
  }
}
