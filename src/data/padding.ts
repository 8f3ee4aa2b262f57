import type { Image } from "./image.ts";

/** Enlarges an image to the right and below by repeating its last column and row. */
export function padTo(image: Image, { width, height }: { width: number; height: number }): Image {
  if (image.width === width && image.height === height) return image;
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const row = Math.min(y, image.height - 1) * image.width;
    for (let x = 0; x < width; x++) {
      const from = (row + Math.min(x, image.width - 1)) * 3;
      data.set(image.data.subarray(from, from + 3), (y * width + x) * 3);
    }
  }
  return { width, height, data };
}
