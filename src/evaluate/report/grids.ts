import type { Grid } from "../../quantizer/mod.ts";
import type { Tokenizer } from "../../tokenizer.ts";
import type { Size } from "../../tokens/mod.ts";

/** The grid of each scale of an image, of its size in pixels. */
export function gridsOf({ vae, quantizer }: Tokenizer, { width, height }: Size): readonly Grid[] {
  return quantizer.gridsFor(Math.ceil(height / vae.reduction), Math.ceil(width / vae.reduction));
}

/** The grids of a set's images: a scale has one where all agree. */
export class Grids {
  #texts: string[] = [];

  /** Adds an image's. */
  add(grids: readonly Grid[]): void {
    grids.forEach(({ height, width }, scale) => {
      const text = `${height}×${width}`;
      this.#texts[scale] = text === (this.#texts[scale] ?? text) ? text : "varies";
    });
  }

  /** By scale, rows and columns, or "varies". */
  get texts(): readonly string[] {
    return this.#texts;
  }
}
