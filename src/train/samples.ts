import type { Image } from "../data/mod.ts";
import type { Adaptation } from "./adaptation.ts";
import type { HeldOut } from "./held_out.ts";
import { continuous, reconstruct } from "./reconstruct.ts";

/** Pixels between and around images. */
const GAP = 4;
const PAPER = 255;

/**
 * Pictures of what a run has learned, of the same few images each time: a row an image, and from left
 * to right the original, its continuous and its discrete reconstruction with the averages.
 */
export class Samples {
  #heldOut: HeldOut;
  #continuous: Image[] | undefined;

  /** Nothing is loaded before the first picture. */
  constructor(heldOut: HeldOut) {
    this.#heldOut = heldOut;
  }

  /** The picture as of now; undefined where none of the images can be used. */
  async draw(adaptation: Adaptation, batch: number): Promise<Image | undefined> {
    const { quantizer, lora } = adaptation.model;
    const known = this.#continuous;
    const before: Image[] = [];
    const rows: Image[][] = [];
    for await (const images of this.#heldOut.batches(batch)) {
      if (!known) before.push(...await continuous(adaptation, images));
      const { images: after } = quantizer ? await reconstruct(adaptation, images) : { images: [] };
      images.forEach((image, i) => {
        const own = (known ?? before)[rows.length];
        rows.push([image, own, ...quantizer ? [after[i]] : []]);
      });
    }
    // It is the same each time where the autoencoder itself stays as it is.
    if (lora) this.#continuous ??= before;
    return rows.length > 0 ? grid(rows) : undefined;
  }
}

/** Images of one size in rows, on white. */
export function grid(rows: readonly (readonly Image[])[]): Image {
  const [[{ width, height }]] = rows;
  const columns = Math.max(...rows.map((row) => row.length));
  const whole = {
    width: GAP + columns * (width + GAP),
    height: GAP + rows.length * (height + GAP),
  };
  const data = new Uint8Array(whole.width * whole.height * 3).fill(PAPER);
  rows.forEach((row, r) =>
    row.forEach((image, c) => {
      const [left, top] = [GAP + c * (width + GAP), GAP + r * (height + GAP)];
      for (let y = 0; y < height; y++) {
        const pixels = image.data.subarray(y * width * 3, (y + 1) * width * 3);
        data.set(pixels, ((top + y) * whole.width + left) * 3);
      }
    })
  );
  return { ...whole, data };
}
