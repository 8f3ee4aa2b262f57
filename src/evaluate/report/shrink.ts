/** Values of pixels, rows of pixels of `channels` values. */
export interface Pixels {
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** `height · width · channels` values. */
  readonly data: ArrayLike<number>;
}

/** Pixels whose longer side has at most `side`: each is the mean of those that it covers. */
export function shrunk({ width, height, data }: Pixels, channels: number, side: number): Pixels {
  const scale = Math.min(1, side / Math.max(width, height));
  const [columns, rows] = [width, height].map((n) => Math.max(1, Math.round(n * scale)));
  if (columns === width && rows === height) return { width, height, data };
  const found = new Float32Array(rows * columns * channels);
  const across = spans(width, columns);
  spans(height, rows).forEach(([top, bottom], row) =>
    across.forEach(([left, right], column) => {
      const at = (row * columns + column) * channels;
      const count = (bottom - top) * (right - left);
      for (let y = top; y < bottom; y++) {
        for (let i = (y * width + left) * channels; i < (y * width + right) * channels; i++) {
          found[at + i % channels] += data[i] / count;
        }
      }
    })
  );
  return { width: columns, height: rows, data: found };
}

/** Which of `from` positions each of `to` covers. */
function spans(from: number, to: number): [first: number, end: number][] {
  return Array.from({ length: to }, (_, i) => [
    Math.floor(i * from / to),
    Math.max(Math.floor(i * from / to) + 1, Math.floor((i + 1) * from / to)),
  ]);
}
