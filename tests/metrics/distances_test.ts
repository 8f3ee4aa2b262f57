import { assert, assertAlmostEquals, assertThrows } from "@std/assert";
import {
  FeatureMoments,
  frechetDistance,
  frechetOfMoments,
  KernelBlocks,
  kernelDistance,
  pairedKernelDistance,
} from "../../src/metrics/mod.ts";
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

Deno.test("pairedKernelDistance: no row with its own pair, so that alike sets are not below 0", () => {
  const [a, b] = [normal(1, 5, 3), normal(2, 5, 3, 1)];
  const kernel = (x: Float32Array, y: Float32Array) =>
    (x.reduce((sum, value, i) => sum + value * y[i], 0) / 3 + 1) ** 3;
  let sum = 0;
  for (const [i, x] of a.entries()) {
    for (const [j, other] of a.entries()) {
      if (i === j) continue;
      sum += kernel(x, other) + kernel(b[i], b[j]) - kernel(x, b[j]) - kernel(other, b[i]);
    }
  }
  assertAlmostEquals(pairedKernelDistance(a, b), sum / (5 * 4), 1e-9);
  assertAlmostEquals(pairedKernelDistance(a, a), 0, 1e-9);
  assert(kernelDistance(a, a) < -1, "which takes them for independent");
  assertThrows(() => pairedKernelDistance(a, b.slice(1)), RangeError, "5 images and 4");
});

Deno.test("distances refuse sets that have no covariance, and rows of other lengths", () => {
  for (const distance of [frechetDistance, kernelDistance, pairedKernelDistance]) {
    const [one, two, wide] = [normal(1, 1, 3), normal(2, 2, 3), normal(3, 2, 4)];
    assertThrows(() => distance(one, two), RangeError, "1 images");
    assertThrows(() => distance(two, []), RangeError, "0 images");
    assertThrows(() => distance(two, wide), TypeError, "of 3 and of 4");
  }
});

Deno.test("FeatureMoments: the same distance with rows kept and with products", () => {
  const [a, b] = [normal(5, 40, 6, 3), normal(6, 30, 6)];
  const momentsOf = (rows: Float32Array[], length: number) => {
    const moments = new FeatureMoments(length);
    // Zeros beside the features change nothing, but more rows are kept.
    rows.forEach((row) => moments.add(Float32Array.from({ length }, (_, i) => row[i] ?? 0)));
    return moments;
  };
  const distance = frechetOfMoments(momentsOf(a, 6), momentsOf(b, 6));
  assertAlmostEquals(frechetOfMoments(momentsOf(a, 50), momentsOf(b, 50)), distance, 1e-6);
  assertAlmostEquals(momentsOf(a, 6).mean()[0], a.reduce((sum, [x]) => sum + x / 40, 0), 1e-9);
  assertThrows(() => frechetOfMoments(momentsOf(a, 6), momentsOf(b, 7)), TypeError, "6 and of 7");
  assertThrows(() => momentsOf(a, 6).add(new Float32Array(5)), TypeError, "of 6 and of 5");
  assertThrows(
    () => frechetOfMoments(new FeatureMoments(6), momentsOf(a, 6)),
    RangeError,
    "0 images",
  );
});

Deno.test("KernelBlocks: the distance itself of few rows, the mean over blocks of many", () => {
  const [a, b] = [normal(7, 1033, 2), normal(8, 1033, 2, 0.5)];
  const blocksOf = (count: number) => {
    const blocks = new KernelBlocks();
    for (let i = 0; i < count; i++) blocks.add(a[i], b[i]);
    return blocks;
  };
  const distance = (from: number, to: number) =>
    pairedKernelDistance(a.slice(from, to), b.slice(from, to));
  assertAlmostEquals(blocksOf(9).distance(), distance(0, 9), 1e-12);
  const first = distance(0, 1024);
  assertAlmostEquals(blocksOf(1024).distance(), first, 1e-12);
  assertAlmostEquals(blocksOf(1025).distance(), first, 1e-12); // one more has no pairs
  const both = (1024 * first + 9 * distance(1024, 1033)) / 1033;
  assertAlmostEquals(blocksOf(1033).distance(), both, 1e-12);
  assertThrows(() => blocksOf(1).distance(), RangeError, "1 images");
});

Deno.test("moments are decomposed once, until a row is added", () => {
  const moments = new FeatureMoments(2);
  for (const [x, y] of [[0, 1], [2, 1], [3, 5], [1, 1]]) moments.add(Float32Array.of(x, y));
  const factor = moments.factor();
  assert(moments.factor() === factor);
  moments.add(Float32Array.of(9, 9));
  assert(moments.factor() !== factor);
});
