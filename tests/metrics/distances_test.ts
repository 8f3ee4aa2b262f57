import { assert, assertAlmostEquals, assertThrows } from "@std/assert";
import { frechetDistance, kernelDistance } from "../../src/metrics/mod.ts";
import { Random } from "../support/random.ts";

function normal(seed: number, count: number, length: number, mean = 0): Float32Array[] {
  const random = new Random(seed);
  return Array.from(
    { length: count },
    () => Float32Array.from(random.normal([length], mean).data),
  );
}

Deno.test("frechetDistance: of numbers, by hand", () => {
  const rows = (...values: number[]) => values.map((value) => Float32Array.of(value));
  // Means 0 and 3, deviations √2 and 2√2.
  assertAlmostEquals(frechetDistance(rows(-1, 1), rows(1, 5)), 9 + 2, 1e-12);
});

Deno.test("frechetDistance: rotated alike it stays; wide and narrow sets take both ways", () => {
  const [a, b] = [normal(1, 9, 4), normal(2, 7, 4, 0.5)];
  const turned = (rows: Float32Array[]) =>
    rows.map(([w, x, y, z]) =>
      Float32Array.of(0.6 * w - 0.8 * x, 0.8 * w + 0.6 * x, 0.6 * y - 0.8 * z, 0.8 * y + 0.6 * z)
    );
  const distance = frechetDistance(a, b); // to the root of what is rounded at 1e-16
  assertAlmostEquals(frechetDistance(turned(a), turned(b)), distance, 1e-6);
  assertAlmostEquals(frechetDistance(b, a), distance, 1e-6);
  // Zeros beside the features change nothing, but make the sets wider than they are long.
  const padded = (rows: Float32Array[]) =>
    rows.map((row) => Float32Array.from({ length: 40 }, (_, i) => row[i] ?? 0));
  assertAlmostEquals(frechetDistance(padded(a), padded(b)), distance, 1e-6);
  assertAlmostEquals(frechetDistance(padded(a), padded(a)), 0, 1e-6);
});

Deno.test("kernelDistance: the definition", () => {
  const [a, b] = [normal(1, 5, 3), normal(2, 4, 3, 1)];
  const kernel = (x: Float32Array, y: Float32Array) =>
    (x.reduce((sum, value, i) => sum + value * y[i], 0) / 3 + 1) ** 3;
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value) / values.length;
  const within = (rows: Float32Array[]) =>
    mean(rows.flatMap((x, i) => rows.filter((_, j) => j !== i).map((y) => kernel(x, y))));
  const between = mean(a.flatMap((x) => b.map((y) => kernel(x, y))));
  assertAlmostEquals(kernelDistance(a, b), within(a) + within(b) - 2 * between, 1e-9);
  assert(Math.abs(kernelDistance(normal(3, 200, 3), normal(4, 200, 3))) < 0.1);
});

Deno.test("distances refuse sets that have no covariance, and rows of other lengths", () => {
  for (const distance of [frechetDistance, kernelDistance]) {
    const [one, two, wide] = [normal(1, 1, 3), normal(2, 2, 3), normal(3, 2, 4)];
    assertThrows(() => distance(one, two), RangeError, "1 images");
    assertThrows(() => distance(two, []), RangeError, "0 images");
    assertThrows(() => distance(two, wide), TypeError, "of 3 and of 4");
  }
});
