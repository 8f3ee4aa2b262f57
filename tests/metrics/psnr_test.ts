import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { meanPsnr, psnr } from "../../src/metrics/mod.ts";

const image = (...data: number[]) => ({
  width: data.length / 3,
  height: 1,
  data: new Uint8Array(data),
});

Deno.test("psnr: known errors", () => {
  assertEquals(psnr(image(1, 2, 3), image(1, 2, 3)), Infinity);
  assertAlmostEquals(psnr(image(0, 0, 0), image(255, 255, 255)), 0, 1e-12);
  // Squared errors 4, 0, 5 * 5: their mean is 29 / 3.
  const expected = 10 * Math.log10((255 * 255) / (29 / 3));
  assertAlmostEquals(psnr(image(2, 7, 250), image(0, 7, 255)), expected, 1e-12);
});

Deno.test("meanPsnr: the mean of decibels, not of errors", () => {
  const zero = image(0, 0, 0);
  const expected = (psnr(image(1, 1, 1), zero) + psnr(image(9, 9, 9), zero)) / 2;
  assertAlmostEquals(
    meanPsnr([image(1, 1, 1), image(9, 9, 9)], [zero, zero]),
    expected,
    1e-12,
  );
});

Deno.test("psnr: other sizes, and no images at all, are errors", () => {
  assertThrows(() => psnr(image(0, 0, 0), image(0, 0, 0, 0, 0, 0)), TypeError, "found 1×1");
  assertThrows(() => meanPsnr([], []), RangeError, "no images");
  assertThrows(() => meanPsnr([image(0, 0, 0)], []), TypeError, "1 images for 0");
});
