import { assertEquals, assertThrows } from "@std/assert";
import { crop, type Image, resize, resizeShortSide } from "../../src/data/mod.ts";
import { resizePart } from "../../src/data/resize.ts";

function grey(width: number, height: number, value = 200): Image {
  return { width, height, data: new Uint8Array(width * height * 3).fill(value) };
}

Deno.test("resize keeps a constant image constant: the weights sum to one", () => {
  for (const [width, height] of [[1, 1], [3, 50], [97, 2], [64, 64]]) {
    const { data } = resize(grey(31, 7, 255), width, height);
    assertEquals(data.length, width * height * 3);
    assertEquals(data.every((x) => x === 255), true, `${width}×${height}`);
  }
});

Deno.test("resize to the same size changes nothing", () => {
  const image = { width: 2, height: 1, data: new Uint8Array([1, 2, 3, 4, 5, 6]) };
  assertEquals(resize(image, 2, 1), image);
});

Deno.test("resizeShortSide cuts the long side to a whole number", () => {
  const sizes = (w: number, h: number, size: number) => {
    const { width, height } = resizeShortSide(grey(w, h), size);
    return [width, height];
  };
  assertEquals(sizes(120, 90, 64), [85, 64]); // 85.33
  assertEquals(sizes(101, 33, 16), [48, 16]); // 48.97
  assertEquals(sizes(33, 101, 16), [16, 48]);
  assertEquals(sizes(5, 5, 8), [8, 8]);
  assertEquals(sizes(1, 1, 3), [3, 3]);
});

Deno.test("resize refuses empty and boundless results", () => {
  assertThrows(() => resize(grey(2, 2), 0, 1), RangeError, "cannot make 0×1 of 2×2");
  assertThrows(() => resize(grey(2, 2), 1.5, 1), RangeError);
  assertThrows(() => resizeShortSide(grey(1, 60_000), 288), RangeError, "pixels");
});

Deno.test("resizePart gives the bytes of that part of the whole", () => {
  const image = (width: number, height: number) => ({
    width,
    height,
    data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * i + 37 * i) % 251),
  });
  for (
    const [from, width, height, part] of [
      [image(40, 33), 17, 13, { left: 3, top: 2, width: 9, height: 7 }],
      [image(40, 33), 17, 13, { left: 0, top: 0, width: 17, height: 1 }],
      [image(7, 5), 23, 31, { left: 22, top: 30, width: 1, height: 1 }],
      [image(40, 33), 40, 13, { left: 5, top: 4, width: 30, height: 9 }],
      [image(40, 33), 17, 33, { left: 8, top: 30, width: 9, height: 3 }],
      [image(40, 33), 40, 33, { left: 8, top: 30, width: 9, height: 3 }],
    ] as const
  ) {
    const whole = resize(from, width, height);
    const expected = crop(whole, part.top, part.left, part.height, part.width);
    assertEquals(resizePart(from, width, height, part), expected, `${width}×${height}`);
  }
});
