import { assertEquals } from "@std/assert";
import type { ImageQuality, MeasuredImage } from "../../src/evaluate/measure.ts";
import { Tally } from "../../src/evaluate/tally.ts";

function measured(discrete: ImageQuality, continuous = discrete): MeasuredImage {
  return {
    file: "a.png",
    width: 16,
    height: 16,
    continuous,
    discrete,
    prefixes: [discrete],
    indices: [Uint32Array.of(1), Uint32Array.of(2)],
    features: {},
  };
}

function measuresOf(images: readonly MeasuredImage[]) {
  const tally = new Tally(16, []);
  for (const image of images) tally.add(image);
  return tally.measures();
}

Deno.test("a mean over what is no number is no number", () => {
  const image = measured({ psnr: NaN, ssim: 1 });
  assertEquals(measuresOf([image]).discrete.psnr, NaN);
});

Deno.test("images that equal their originals are counted, and no part of the mean PSNR", () => {
  const [good, better, equal] = [12, 14, null].map((psnr) => ({ psnr, ssim: 1 }));
  const mixed = measuresOf([measured(good, equal), measured(equal), measured(better, equal)]);
  assertEquals([mixed.discrete.psnr, mixed.discrete.equal], [13, 1]);
  assertEquals([mixed.continuous.psnr, mixed.continuous.equal], [null, 3]);
  assertEquals(mixed.prefixes.map(({ psnr }) => psnr), [13, 13]);
});
