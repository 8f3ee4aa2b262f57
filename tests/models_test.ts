/**
 * The weights that ship. Their quality is measured on photographs that are not in the repository: a
 * folder with `train` and `heldout`, named by CODA_PHOTOS; without it that test says it was not run.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { loadVae } from "../src/checkpoint/mod.ts";
import {
  centerCrop,
  findImages,
  floatToImage,
  type Image,
  imageToFloat,
  loadImage,
  resizeShortSide,
} from "../src/data/mod.ts";
import { codebookUse, psnr } from "../src/metrics/mod.ts";
import { fromArray } from "../src/tensor/mod.ts";
import { Tokenizer } from "../src/tokenizer.ts";
import type { AutoencoderKL } from "../src/vae/mod.ts";
import { gpuTest } from "./support/gpu.ts";

/** Every n-th photograph of a folder, as the `center-256` protocol shows it. */
async function someOf(folder: string, every: number): Promise<Image[]> {
  const files = (await findImages([folder])).filter((_, i) => i % every === 0);
  const images = await Promise.all(files.map((file) => loadImage(file)));
  return images.map((image) => centerCrop(resizeShortSide(image, 256), 256, 256));
}

/** The continuous reconstruction that the discrete one is held against. */
async function reconstruct(vae: AutoencoderKL, image: Image): Promise<Image> {
  const { gpu } = vae.parameters;
  const { width, height } = image;
  const pending = (() => {
    using _scope = gpu.scope();
    const x = fromArray(gpu, imageToFloat(image), [1, height, width, 3]);
    return vae.decode(vae.encode(x).mean).readF32();
  })();
  return floatToImage(await pending, width, height);
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b) / values.length;

gpuTest(
  "the embedded tokenizer is the one of its model card, and knows a smooth image",
  async (gpu) => {
    using tokenizer = await Tokenizer.load(undefined, { gpu });
    const card = await Deno.readTextFile(
      new URL("../models/tiny-coda-f8/README.md", import.meta.url),
    );
    assertStringIncludes(card, tokenizer.modelId);
    const [width, height] = [96, 64];
    const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
      const [x, y, c] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3];
      return 128 + 60 * Math.sin(x / 20 + c) + 50 * Math.cos(y / 25 - c);
    });
    const image = { width, height, data };
    const tokens = await tokenizer.encode(image);
    assertEquals(tokens.codebookSize, 1024);
    const found = psnr(await tokenizer.decode(tokens), image);
    assert(found > 24, `PSNR ${found} dB`);
    const coarse = psnr(await tokenizer.decode(tokens, { scales: 3 }), image);
    assert(coarse < found, `PSNR ${coarse} dB from three scales`);
  },
);

const photos = Deno.env.get("CODA_PHOTOS");
if (photos) {
  gpuTest(
    "on photographs the embedded tokenizer uses its codebook and stays within 4 dB",
    async (gpu) => {
      using tokenizer = await Tokenizer.load(undefined, { gpu });
      using vae = await loadVae(gpu);
      const trained = [];
      for (const image of await someOf(`${photos}/train`, 80)) {
        trained.push(...(await tokenizer.encode(image)).indices);
      }
      assert(
        codebookUse(trained, 1024).used >= 0.95,
        "of the codes are used on training photographs",
      );
      const [continuous, discrete]: number[][] = [[], []];
      for (const image of await someOf(`${photos}/heldout`, 16)) {
        continuous.push(psnr(await reconstruct(vae, image), image));
        discrete.push(psnr(await tokenizer.decode(await tokenizer.encode(image)), image));
      }
      const lost = mean(continuous) - mean(discrete);
      assert(lost <= 4, `${lost} dB are lost to the continuous reconstruction`);
    },
  );
} else {
  Deno.test({
    name: "the embedded tokenizer's quality was not measured: CODA_PHOTOS names no photographs",
    ignore: true,
    fn: () => {},
  });
}
