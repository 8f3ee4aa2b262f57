import { assertAlmostEquals, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { SafetensorsFile } from "../../src/checkpoint/safetensors.ts";
import type { Image } from "../../src/data/mod.ts";
import { truncatedImage } from "../../src/evaluate/truncated.ts";
import { frechetDistance, psnr, ssim } from "../../src/metrics/mod.ts";

/** PSNR and SSIM of the official evaluation's images, and the Fréchet distance of its features. */
export function metrics(goldens: string): void {
  const read = (name: string) => join(goldens, name);
  const expected = JSON.parse(Deno.readTextFileSync(read("metrics.json"))) as {
    psnr: number[];
    ssim: number[];
    fid_f64: number;
    fid_same_set_f64: number;
    fid_first40_rows_f64: number;
  };
  Deno.test("metrics: PSNR and SSIM equal the official ones", async () => {
    using file = await SafetensorsFile.open(read("metrics.safetensors"));
    const [found, wanted] = await Promise.all(["pred_u8", "gt_u8"].map((n) => images(file, n)));
    found.forEach((image, i) => {
      assertAlmostEquals(psnr(image, wanted[i]), expected.psnr[i], 1e-4);
      assertAlmostEquals(ssim(image, wanted[i]), expected.ssim[i], 1e-4);
    });
  });
  Deno.test("metrics: floats become the official evaluation's 8 bits", async () => {
    using file = await SafetensorsFile.open(read("metrics.safetensors"));
    for (const set of ["pred", "gt"]) {
      const { shape: [, , height, width] } = file.info(`${set}_float`);
      const values = await file.floats(`${set}_float`);
      for (const [n, image] of (await images(file, `${set}_u8`)).entries()) {
        const of = channelsLast(values.subarray(n * height * width * 3), height * width);
        assertEquals(truncatedImage(of, width, height), image);
      }
    }
  });
  Deno.test("metrics: the Fréchet distance equals the official one, also without full rank", async () => {
    using file = await SafetensorsFile.open(read("metrics.safetensors"));
    const [found, wanted] = await Promise.all(["feat_pred", "feat_gt"].map((n) => rows(file, n)));
    const few = frechetDistance(found.slice(0, 40), wanted.slice(0, 40));
    assertAlmostEquals(frechetDistance(found, wanted), expected.fid_f64, 1e-6);
    assertAlmostEquals(frechetDistance(found, found), expected.fid_same_set_f64, 1e-6);
    assertAlmostEquals(few, expected.fid_first40_rows_f64, 1e-3);
  });
}

/** The rows of a matrix. */
async function rows(file: SafetensorsFile, name: string): Promise<Float32Array[]> {
  const { shape: [count, length], data } = await file.tensor(name);
  return Array.from(
    { length: count },
    (_, i) => (data as Float32Array).slice(i * length, (i + 1) * length),
  );
}

/** The first image of values [N, 3, …] as [pixels, 3]. */
function channelsLast(values: Float32Array, pixels: number): Float32Array {
  const at = (i: number) => values[(i % 3) * pixels + Math.floor(i / 3)];
  return Float32Array.from({ length: pixels * 3 }, (_, i) => at(i));
}

/** The images of a tensor [N, H, W, 3]. */
async function images(file: SafetensorsFile, name: string): Promise<Image[]> {
  const { shape: [count, height, width], data } = await file.tensor(name);
  const size = height * width * 3;
  return Array.from({ length: count }, (_, i) => ({
    width,
    height,
    data: (data as Uint8Array).slice(i * size, (i + 1) * size),
  }));
}
