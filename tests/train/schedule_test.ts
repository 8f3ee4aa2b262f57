import { assertAlmostEquals, assertEquals } from "@std/assert";
import { cosineRate, emaRatio } from "../../src/train/mod.ts";

Deno.test("cosineRate: begins at the peak, halves in the middle, ends at 0", () => {
  assertEquals(cosineRate(5e-4, 0, 1000), 5e-4);
  assertAlmostEquals(cosineRate(5e-4, 500, 1000), 2.5e-4, 1e-18);
  assertAlmostEquals(cosineRate(5e-4, 250, 1000), 5e-4 * (0.5 + Math.SQRT1_2 / 2), 1e-18);
  assertEquals(cosineRate(5e-4, 1000, 1000), 0);
});

Deno.test("emaRatio: a copy for 40 % of the run, then rising to the decay", () => {
  assertEquals(emaRatio(0, 1000), 0);
  assertEquals(emaRatio(399, 1000), 0);
  assertEquals(emaRatio(400, 1000), 201 / 210);
  assertEquals(emaRatio(401, 1000), 201 / 210);
  assertEquals(emaRatio(10 ** 6, 10 ** 6), 0.9999);
  assertEquals(emaRatio(10, 1000, { copyUntil: 0 }), 6 / 15);
  assertEquals(emaRatio(10, 1000, { copyUntil: 0, decay: 0.1 }), 0.1);
});
