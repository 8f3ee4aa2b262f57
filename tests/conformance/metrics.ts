import { assertAlmostEquals } from "@std/assert";
import { join } from "@std/path";
import { SafetensorsFile } from "../../src/checkpoint/safetensors.ts";
import type { Image } from "../../src/data/mod.ts";
import { psnr, ssim } from "../../src/metrics/mod.ts";

/** PSNR and SSIM of the official evaluation's images. */
export function metrics(goldens: string): void {
  const read = (name: string) => join(goldens, name);
  const expected = JSON.parse(Deno.readTextFileSync(read("metrics.json"))) as {
    psnr: number[];
    ssim: number[];
  };
  Deno.test("metrics: PSNR and SSIM equal the official ones", async () => {
    using file = await SafetensorsFile.open(read("metrics.safetensors"));
    const [found, wanted] = await Promise.all(["pred_u8", "gt_u8"].map((n) => images(file, n)));
    found.forEach((image, i) => {
      assertAlmostEquals(psnr(image, wanted[i]), expected.psnr[i], 1e-4);
      assertAlmostEquals(ssim(image, wanted[i]), expected.ssim[i], 1e-4);
    });
  });
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
