import { assertEquals, assertThrows } from "@std/assert";
import { centerCrop, crop, type Image, randomCrop } from "../../src/data/mod.ts";

/** Each pixel holds its column, its row and 7. */
function coordinates(width: number, height: number): Image {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    data.set([i % width, Math.floor(i / width), 7], i * 3);
  }
  return { width, height, data };
}

function firstPixel({ data }: Image): number[] {
  return [data[0], data[1]];
}

Deno.test("crop takes the rows and columns asked for", () => {
  const part = crop(coordinates(5, 4), 1, 2, 2, 3);
  assertEquals([part.width, part.height], [3, 2]);
  assertEquals([...part.data], [2, 1, 7, 3, 1, 7, 4, 1, 7, 2, 2, 7, 3, 2, 7, 4, 2, 7]);
});

Deno.test("crop refuses what reaches beyond the image", () => {
  const image = coordinates(5, 4);
  assertThrows(() => crop(image, 0, 0, 5, 5), RangeError, "5×5 at column 0, row 0");
  assertThrows(() => crop(image, -1, 0, 2, 2), RangeError);
  assertThrows(() => crop(image, 0, 4, 1, 2), RangeError);
  assertThrows(() => crop(image, 0, 0, 0, 2), RangeError);
  assertThrows(() => centerCrop(image, 5, 2), RangeError);
  assertThrows(() => randomCrop(image, 2, 6, () => 0), RangeError);
});

Deno.test("centerCrop halves an odd margin as Python's round does, to the even number", () => {
  // Margins 0 to 7: Python's [round(m / 2) for m in range(8)].
  const lefts = [0, 0, 1, 2, 2, 2, 3, 4];
  lefts.forEach((left, margin) => {
    assertEquals(firstPixel(centerCrop(coordinates(2 + margin, 3), 3, 2)), [left, 0]);
    assertEquals(firstPixel(centerCrop(coordinates(3, 2 + margin), 2, 3)), [0, left]);
  });
});

Deno.test("randomCrop reaches every place, the row drawn first", () => {
  const image = coordinates(4, 3);
  const draws = (...values: number[]) => () => values.shift()!;
  assertEquals(firstPixel(randomCrop(image, 2, 2, draws(0, 0))), [0, 0]);
  assertEquals(firstPixel(randomCrop(image, 2, 2, draws(0.999, 0.999))), [2, 1]);
  assertEquals(firstPixel(randomCrop(image, 2, 2, draws(0, 0.5))), [1, 0]);
  assertEquals(firstPixel(randomCrop(image, 3, 4, draws(0.9, 0.9))), [0, 0]);
});
