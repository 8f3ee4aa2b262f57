import { assert, assertEquals, assertThrows } from "@std/assert";
import { philox, Random } from "../../src/tensor/mod.ts";

Deno.test("philox gives the published known answers", () => {
  // Random123's kat_vectors for philox4x32-10
  assertEquals(philox([0, 0, 0, 0], [0, 0]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  const ones = 0xffffffff;
  assertEquals(philox([ones, ones, ones, ones], [ones, ones]), [
    0x408f276d,
    0x41c83b0e,
    0xa20bc7c6,
    0x6d5451fd,
  ]);
  assertEquals(philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]), [
    0xd16cfe09,
    0x94fdcceb,
    0x5001e420,
    0x24126ea1,
  ]);
});

Deno.test("streams of one seed differ, the same stream repeats", () => {
  const draw = (seed: number, stream: number) => {
    const random = new Random(seed, stream);
    return Array.from({ length: 9 }, () => random.bits());
  };
  assertEquals(draw(7, 1), draw(7, 1));
  assertEquals(draw(7, 1).some((word, i) => word === draw(7, 2)[i]), false);
  assertEquals(draw(2 ** 40, 0).some((word, i) => word === draw(0, 0)[i]), false);
});

Deno.test("moments: uniform, normal, truncated normal", () => {
  const random = new Random(3);
  const count = 20000;
  const moments = (next: () => number) => {
    const values = Array.from({ length: count }, next);
    const mean = values.reduce((a, b) => a + b) / count;
    return [mean, Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / count)];
  };
  const near = ([mean, std]: number[], [m, s]: number[]) =>
    assertEquals(
      [Math.abs(mean - m) < 0.03, Math.abs(std - s) < 0.03],
      [true, true],
      `${mean} ${std}`,
    );
  near(moments(() => random.uniform()), [0.5, Math.sqrt(1 / 12)]);
  near(moments(() => random.normal()), [0, 1]);
  near(moments(() => random.truncatedNormal(2)), [0, 0.8796]); // of a normal cut at ±2 sigma
});

Deno.test("a truncated normal stays within its limit, which must leave room", () => {
  const random = new Random(4);
  const largest = Math.max(
    ...Array.from({ length: 2000 }, () => Math.abs(random.truncatedNormal(0.5))),
  );
  assert(largest <= 0.5 && largest > 0.49, `largest ${largest}`);
  for (const limit of [0, -1, NaN]) {
    assertThrows(() => random.truncatedNormal(limit), RangeError, `limit ${limit}`);
  }
});

Deno.test("a permutation holds every number once", () => {
  assertEquals([...new Random(1).permutation(100)].sort((a, b) => a - b), [...Array(100).keys()]);
});
