import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { join } from "@std/path";
import {
  centerCrop,
  floatToImage,
  type Image,
  imageToFloat,
  loadImage,
  randomCrop,
  resizeShortSide,
  saveImage,
} from "../../src/data/mod.ts";
import { evaluate, type Judges } from "../../src/evaluate/mod.ts";
import { PROTOCOLS, randomOf } from "../../src/evaluate/protocols.ts";
import { truncatedImage } from "../../src/evaluate/truncated.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { psnr, ssim } from "../../src/metrics/mod.ts";
import { add, affine, exp, mean, mul } from "../../src/ops/mod.ts";
import { fromArray, noGrad, normal, Random } from "../../src/tensor/mod.ts";
import { Tokenizer } from "../../src/tokenizer.ts";
import { AutoencoderKL } from "../../src/vae/mod.ts";
import { pattern, writeTokenizer } from "../cli/tiny_tokenizer.ts";
import { withFolder } from "../data/photos.ts";
import { gpuTest } from "../support/gpu.ts";
import { TINY_VAE } from "../train/tiny.ts";

/** At 256² its attention would take its time. */
const VAE = { ...TINY_VAE, midAttention: false };

for (const [width, height] of [[300, 270], [20, 31], [256, 256], [5, 60], [700, 288]] as const) {
  Deno.test(`protocols cut ${width}×${height} as by hand`, () => {
    const image = pattern(width, height);
    const center = PROTOCOLS["center-256"].cut(image, new Random(1));
    assertEquals([center.width, center.height], [256, 256]);
    assertEquals(center, centerCrop(resizeShortSide(image, 256), 256, 256));
    const official = PROTOCOLS["coda-official"].cut(image, new Random(1));
    const random = new Random(1);
    const cropped = randomCrop(resizeShortSide(image, 288), 256, 256, () => random.uniform());
    assertEquals([official.width, official.height], [256, 256]);
    assertEquals(official, cropped);
    assertEquals(PROTOCOLS.original.cut(image, new Random(1)), image);
  });
}

Deno.test("an image's crop and its latent are drawn apart, by its name alone", () => {
  const first = (...args: Parameters<typeof randomOf>) => randomOf(...args).bits();
  assertEquals(first("x/a.png", 3, "crop"), first("y/a.png", 3, "crop"));
  const all = [
    first("a.png", 3, "crop"),
    first("a.png", 3, "latent"),
    first("b.png", 3, "crop"),
    first("a.png", 4, "crop"),
  ];
  assertEquals(new Set(all).size, 4);
});

/** What coda-official makes of an image's float values, by hand. */
async function throughDraw(
  { width, height, data }: Image,
  vae: AutoencoderKL,
  file: string,
  quantizer?: Tokenizer["quantizer"],
): Promise<Float32Array> {
  const { gpu } = vae.parameters;
  const record = () => {
    using _scope = gpu.scope();
    const input = fromArray(gpu, imageToFloat({ width, height, data }), [1, height, width, 3]);
    const { mean: center, logVariance } = vae.encode(input);
    const noise = normal(gpu, center.shape, randomOf(file, 5, "latent"));
    const latent = add(center, mul(exp(affine(logVariance, 0.5, 0)), noise));
    if (!quantizer) return vae.decode(latent).readF32();
    const codes = quantizer.encode(vae.scaleLatent(latent));
    const [, rows, columns] = center.shape;
    const found = quantizer.decode(codes, { height: rows, width: columns });
    return vae.decode(vae.unscaleLatent(found)).readF32();
  };
  return (await noGrad(record)).map((value) => Math.min(Math.max(value, -1), 1));
}

/** Stands in for LPIPS: a sum of means, which tells the two images apart and truncated ones too. */
const MEANS: Judges = {
  lpips: {
    distances: (found, image) => {
      const [a, b] = [found, image].map((x) => mean(x, { axes: [1, 2, 3] }));
      return add(a, affine(b, 0.25, 0));
    },
  },
  networks: [],
  off: [],
  [Symbol.dispose]() {},
};

function means(found: Float32Array, image: Float32Array): number {
  const [a, b] = [found, image].map((x) => x.reduce((sum, value) => sum + value, 0) / x.length);
  return a + 0.25 * b;
}

async function withTokenizer(
  gpu: Gpu,
  test: (tokenizer: Tokenizer, file: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    await writeTokenizer(gpu, join(folder, "model"), { vae: VAE });
    const file = join(folder, "a.png");
    await saveImage(file, pattern(40, 30));
    using tokenizer = await Tokenizer.load(join(folder, "model"), { gpu });
    await test(tokenizer, file);
  });
}

gpuTest(
  "coda-official: a draw of the latent, truncated for PSNR and SSIM, not for LPIPS",
  (gpu) =>
    withTokenizer(gpu, async (tokenizer, file) => {
      using other = new AutoencoderKL(gpu, VAE);
      other.parameters.initialize(new Random(9));
      const options = { protocol: "coda-official", seed: 5, judges: MEANS } as const;
      const continuous = { name: "another", vae: other };
      const report = await evaluate(tokenizer, [file], { ...options, continuous });
      const cut = PROTOCOLS["coda-official"].cut(await loadImage(file), randomOf(file, 5, "crop"));
      const floats = imageToFloat(cut);
      const original = truncatedImage(floats, 256, 256);
      assert(original.data.some((value, i) => value !== cut.data[i]));
      const found = {
        continuous: await throughDraw(cut, other, file),
        discrete: await throughDraw(cut, tokenizer.vae, file, tokenizer.quantizer),
      };
      for (const set of ["continuous", "discrete"] as const) {
        const image = truncatedImage(found[set], 256, 256);
        assertAlmostEquals(report[set].psnr!, psnr(image, original), 1e-6, set);
        assertAlmostEquals(report[set].ssim, ssim(image, original), 1e-6, set);
        assertAlmostEquals(report[set].lpips!, means(found[set], floats), 1e-5, set);
      }
    }),
);

gpuTest(
  "original: LPIPS is of the images' 8 bits",
  (gpu) =>
    withTokenizer(gpu, async (tokenizer, file) => {
      const report = await evaluate(tokenizer, [file], { protocol: "original", judges: MEANS });
      const image = await loadImage(file);
      const found = {
        continuous: await tokenizer.reconstruct(image),
        discrete: await tokenizer.decode(await tokenizer.encode(image)),
      };
      for (const set of ["continuous", "discrete"] as const) {
        const distance = means(imageToFloat(found[set]), imageToFloat(image));
        assertAlmostEquals(report[set].lpips!, distance, 1e-5, set);
      }
    }),
);

Deno.test("truncatedImage cuts off where floatToImage rounds, and clamps", () => {
  const values = Float32Array.of(-1.5, -1, 0.999, 1, 7, 0);
  assertEquals([...truncatedImage(values, 2, 1).data], [0, 0, 254, 255, 255, 127]);
  assertEquals([...floatToImage(values, 2, 1).data], [0, 0, 255, 255, 255, 128]);
});
