/** An image to compare with another: an 8-bit one, or one whose numbers were not rounded. */
export interface Raster {
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** `height · width · 3` numbers from 0 to 255, rows of pixels of three (HWC). */
  readonly data: ArrayLike<number>;
}
