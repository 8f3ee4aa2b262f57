/** The demo's picture: a row for each photograph, a column for each way it was made. */
import type { Image } from "../../../data/mod.ts";
import { LINE_HEIGHT, textPixels, textWidth } from "./font.ts";

/** An image with what stands below it. */
export interface Panel {
  /** The image; all panels have one size. */
  readonly image: Image;
  /** What stands below it. */
  readonly caption: string;
}

const GAP = 8;
const TEXT_SCALE = 2;
const LINE = LINE_HEIGHT * TEXT_SCALE + 6;
const PAPER = 255;
const INK = 32;

/**
 * Lays panels out in rows under the columns' titles.
 *
 * @throws {RangeError} where a title or caption has a character that the font does not.
 */
export function picture(titles: readonly string[], rows: readonly (readonly Panel[])[]): Image {
  const [{ image: { width, height } }] = rows[0];
  const canvas = new Canvas(
    GAP + titles.length * (width + GAP),
    GAP + LINE + rows.length * (height + GAP + LINE),
  );
  const left = (column: number) => GAP + column * (width + GAP);
  titles.forEach((title, column) => canvas.text(title, left(column), GAP));
  rows.forEach((row, r) => {
    const top = GAP + LINE + r * (height + GAP + LINE);
    row.forEach(({ image, caption }, column) => {
      canvas.image(image, left(column), top);
      canvas.text(caption, left(column), top + height + GAP / 2);
    });
  });
  return canvas;
}

/** White paper to draw on. */
class Canvas implements Image {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.data = new Uint8Array(width * height * 3).fill(PAPER);
  }

  image({ width, height, data }: Image, left: number, top: number): void {
    for (let y = 0; y < height; y++) {
      const row = data.subarray(y * width * 3, (y + 1) * width * 3);
      this.data.set(row, ((top + y) * this.width + left) * 3);
    }
  }

  /** What does not fit on the paper is cut off. */
  text(text: string, left: number, top: number): void {
    const room = this.width - left;
    while (textWidth(text) * TEXT_SCALE > room) text = text.slice(0, -1);
    for (const { x, y } of textPixels(text)) {
      for (let i = 0; i < TEXT_SCALE; i++) {
        const at = (top + y * TEXT_SCALE + i) * this.width + left + x * TEXT_SCALE;
        this.data.fill(INK, at * 3, (at + TEXT_SCALE) * 3);
      }
    }
  }
}
