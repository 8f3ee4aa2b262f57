import { assertEquals, assertThrows } from "@std/assert";
import { gridsFor, PATCH_SIZES_F16, PATCH_SIZES_F8, tokenCount } from "../../src/quantizer/mod.ts";

const sides = (patchSizes: readonly number[], height: number, width: number) =>
  gridsFor(patchSizes, height, width).map((grid) => [grid.height, grid.width]);

Deno.test("the square that the patch sizes were made for keeps them: 680 and 2,240 tokens", () => {
  assertEquals(sides(PATCH_SIZES_F16, 16, 16), PATCH_SIZES_F16.map((p) => [p, p]));
  assertEquals(tokenCount(gridsFor(PATCH_SIZES_F16, 16, 16)), 680);
  assertEquals(tokenCount(gridsFor(PATCH_SIZES_F8, 32, 32)), 2240);
});

Deno.test("other sizes scale each axis by max(1, round(p·H/H₀)); the last grid is the latent", () => {
  assertEquals(sides([1, 2, 3, 4], 6, 2), [[2, 1], [3, 1], [5, 2], [6, 2]]);
  assertEquals(sides([1, 2, 3, 4], 1, 5), [[1, 1], [1, 3], [1, 4], [1, 5]]);
  assertEquals(sides([1, 4], 1, 1), [[1, 1], [1, 1]]);
});

Deno.test("sizes that are none are refused", () => {
  assertThrows(() => gridsFor([1, 2], 0, 2), RangeError, "0 is no size");
  assertThrows(() => gridsFor([1, 2.5], 2, 2), RangeError, "2.5 is no size");
});
