import { assertEquals, assertThrows } from "@std/assert";
import { type Image, resize, resizeShortSide } from "../../src/data/mod.ts";

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
