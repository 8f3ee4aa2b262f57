import { assert, assertEquals } from "@std/assert";
import { Batches, ImageFolder } from "../../src/data/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { fromArray, noGrad } from "../../src/tensor/mod.ts";
import { LatentCache } from "../../src/train/mod.ts";
import { assertClose, assertSame } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { TINY_SIZE, TINY_VAE, TinyGround, tinyModel } from "./tiny.ts";

const LATENT = 4 * 4 * 4;

async function folder(ground: TinyGround): Promise<ImageFolder> {
  return await ImageFolder.open([ground.path("images")], { size: TINY_SIZE, seed: 3 });
}

async function read(
  cache: LatentCache,
  step: number,
  samplePosterior: boolean,
): Promise<Float32Array> {
  using latents = cache.batch({ seed: 5, step, batch: 3, samplePosterior });
  return await latents.readF32();
}

gpuTest("LatentCache: holds the scaled means of the folder's first samples", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  using model = tinyModel(gpu);
  const images = await folder(ground);
  await using batches = new Batches(images, { batchSize: 2 });
  const done: number[] = [];
  const cache = await flat(gpu, async () =>
    await LatentCache.fill(model.vae, batches, {
      count: 5,
      batch: 2,
      imageSize: TINY_SIZE,
      onProgress: (n) => done.push(n),
    }));
  assertEquals([cache!.count, ...done], [6, 2, 4, 6]);
  const found = [...await read(cache!, 0, false), ...await read(cache!, 1, false)];
  const expected = await meansOf(gpu, model.vae, images, 6);
  // An epoch holds each latent once, in an order of its own.
  const places = Array.from({ length: 6 }, (_, n) => {
    const part = found.slice(n * LATENT, (n + 1) * LATENT);
    return expected.findIndex((mean) =>
      Math.max(...mean.map((x, i) => Math.abs(x - part[i]))) < 1e-5
    );
  });
  assertEquals(places.toSorted(), [0, 1, 2, 3, 4, 5]);
});

gpuTest("LatentCache: noise has the posterior's spread and hangs on the step", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  using model = tinyModel(gpu);
  await using batches = new Batches(await folder(ground), { batchSize: 3 });
  const options = { count: 3, batch: 3, imageSize: TINY_SIZE };
  const cache = await LatentCache.fill(model.vae, batches, options);
  const mean = await read(cache!, 0, false);
  const drawn = await read(cache!, 0, true);
  assertSame(await read(cache!, 0, true), drawn);
  const spread = Math.sqrt(drawn.reduce((sum, x, i) => sum + (x - mean[i]) ** 2, 0) / drawn.length);
  // A fresh network's log-variances lie near 0, so deviations near 1 before scaling.
  assert(Math.abs(spread / TINY_VAE.scale - 1) < 0.3, `spread ${spread}`);
  const means = (await read(cache!, 1, false)).toSorted();
  assertClose(means, mean.toSorted(), { relative: 1e-6 });
  assert((await read(cache!, 1, true)).some((x, i) => x !== drawn[i]));
});

gpuTest("LatentCache: a signal ends the filling", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  using model = tinyModel(gpu);
  await using batches = new Batches(await folder(ground), { batchSize: 2 });
  const options = { count: 4, batch: 2, imageSize: TINY_SIZE, signal: AbortSignal.abort() };
  assertEquals(await LatentCache.fill(model.vae, batches, options), undefined);
});

/** The scaled posterior means of the first samples, each encoded alone. */
async function meansOf(
  gpu: Gpu,
  vae: ReturnType<typeof tinyModel>["vae"],
  images: ImageFolder,
  count: number,
): Promise<Float32Array[]> {
  await using batches = new Batches(images, { batchSize: 1 });
  const means: Float32Array[] = [];
  for (let n = 0; n < count; n++) {
    const { images: values } = await batches.next(n);
    const pending = (() => {
      using _scope = gpu.scope();
      const image = fromArray(gpu, values, [1, TINY_SIZE, TINY_SIZE, 3]);
      return noGrad(() => vae.scaleLatent(vae.encode(image).mean)).readF32();
    })();
    means.push(await pending);
  }
  return means;
}
