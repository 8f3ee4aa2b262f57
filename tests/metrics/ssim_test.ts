import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import type { Image } from "../../src/data/mod.ts";
import { meanSsim, ssim } from "../../src/metrics/mod.ts";
import { Random } from "../support/random.ts";

function noise(seed: number, width: number, height: number): Image {
  const random = new Random(seed);
  const data = Uint8Array.from({ length: width * height * 3 }, () => 256 * random.next());
  return { width, height, data };
}

/** SSIM from its definition: at each place of the window weighted moments about the weighted means. */
function defined(a: Image, b: Image): number {
  const all: number[] = [];
  for (let top = 0; top + 11 <= a.height; top++) {
    for (let left = 0; left + 11 <= a.width; left++) {
      for (let c = 0; c < 3; c++) {
        const places = Array.from({ length: 121 }, (_, i) => {
          const [y, x] = [Math.floor(i / 11), i % 11];
          const at = ((top + y) * a.width + left + x) * 3 + c;
          const weight = Math.exp(-((y - 5) ** 2 + (x - 5) ** 2) / (2 * 1.5 ** 2));
          return { weight, a: a.data[at], b: b.data[at] };
        });
        const total = places.reduce((sum, { weight }) => sum + weight, 0);
        const mean = (value: (place: typeof places[0]) => number) =>
          places.reduce((sum, place) => sum + place.weight * value(place), 0) / total;
        const [ma, mb] = [mean(({ a }) => a), mean(({ b }) => b)];
        const va = mean(({ a }) => (a - ma) ** 2);
        const vb = mean(({ b }) => (b - mb) ** 2);
        const cov = mean(({ a, b }) => (a - ma) * (b - mb));
        const [c1, c2] = [2.55 ** 2, 7.65 ** 2];
        all.push(
          ((2 * ma * mb + c1) * (2 * cov + c2)) / ((ma ** 2 + mb ** 2 + c1) * (va + vb + c2)),
        );
      }
    }
  }
  return all.reduce((sum, value) => sum + value) / all.length;
}

for (const [width, height] of [[11, 11], [17, 13], [12, 33]]) {
  Deno.test(`ssim of ${width}×${height}: the definition`, () => {
    const [a, b] = [noise(1, width, height), noise(2, width, height)];
    const near = { ...a, data: a.data.map((value, i) => i % 5 ? value : value ^ 9) };
    assertAlmostEquals(ssim(a, b), defined(a, b), 1e-9);
    assertAlmostEquals(ssim(near, a), defined(near, a), 1e-9);
    assert(ssim(near, a) > ssim(b, a));
    assertEquals(ssim(a, a), 1);
  });
}

Deno.test("meanSsim: the mean over images; other sizes, too small ones and none are errors", () => {
  const [a, b, c] = [noise(1, 12, 12), noise(2, 12, 12), noise(3, 11, 12)];
  assertAlmostEquals(meanSsim([a, b], [a, a]), (1 + ssim(b, a)) / 2, 1e-12);
  assertThrows(() => ssim(a, c), TypeError, "found 12×12, expected 11×12");
  assertThrows(() => ssim(noise(1, 10, 40), noise(1, 10, 40)), RangeError, "10×40");
  assertThrows(() => meanSsim([], []), RangeError, "no images");
  assertThrows(() => meanSsim([a], []), TypeError, "1 images for 0");
});
