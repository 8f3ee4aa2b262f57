import { assert, assertEquals } from "@std/assert";
import { Random } from "./random.ts";
import { mean, square, sub } from "./reference.ts";

Deno.test("the same seed gives the same inputs, another seed others", () => {
  const draw = (seed: number) => Array.from(new Random(seed).normal([5]).data);
  assertEquals(draw(3), draw(3));
  assert(draw(3)[0] !== draw(4)[0]);
});

Deno.test("inputs are float32 numbers", () => {
  const x = new Random(1).uniform([100], -3, 3);
  assert(x.data.every((value) => Math.fround(value) === value && value >= -3 && value <= 3));
});

Deno.test("normal has its mean and standard deviation", () => {
  const x = new Random(2).normal([20_000], 1, 2);
  const centre = mean(x);
  const variance = mean(square(sub(x, centre)));
  assert(Math.abs(centre.data[0] - 1) < 0.05, `mean ${centre.data[0]}`);
  assert(Math.abs(variance.data[0] - 4) < 0.15, `variance ${variance.data[0]}`);
});

Deno.test("integers cover their range, distinct is a permutation", () => {
  const random = new Random(3);
  assertEquals(new Set(random.integers([200], 5).data), new Set([0, 1, 2, 3, 4]));
  assertEquals(
    Array.from(random.distinct([7]).data).toSorted(),
    [0, 1, 2, 3, 4, 5, 6],
  );
});
