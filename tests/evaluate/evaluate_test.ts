import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { join, relative } from "@std/path";
import { ImageError, loadImage, saveImage } from "../../src/data/mod.ts";
import { evaluate, type EvaluateOptions, type Judges } from "../../src/evaluate/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import {
  codebookUse,
  frechetDistance,
  meanPsnr,
  meanSsim,
  pairedKernelDistance,
} from "../../src/metrics/mod.ts";
import { mean } from "../../src/ops/mod.ts";
import { Random } from "../../src/tensor/mod.ts";
import { Tokenizer } from "../../src/tokenizer.ts";
import type { Tokens } from "../../src/tokens/mod.ts";
import { lockFolder } from "../../src/train/folder_lock.ts";
import { RunError } from "../../src/train/mod.ts";
import { AutoencoderKL } from "../../src/vae/mod.ts";
import { pattern, writeImages, writeTokenizer } from "../cli/tiny_tokenizer.ts";
import { withFolder } from "../data/photos.ts";
import { TINY_VAE } from "../train/tiny.ts";
import { flat, gpuTest } from "../support/gpu.ts";

/** Stands in for a network: an image's mean colour. */
const COLOURS: Judges = {
  networks: [{
    name: "colours",
    distances: { frechet: "colours-fd", kernel: "colours-kid" },
    length: 3,
    pooled: (images) => mean(images, { axes: [1, 2] }),
    [Symbol.dispose]() {},
  }],
  off: ["LPIPS: not in this test"],
  [Symbol.dispose]() {},
};

/** Runs a test with a tiny tokenizer and the files of a few images. */
function withImages(
  name: string,
  test: (tokenizer: Tokenizer, files: string[], folder: string, gpu: Gpu) => Promise<void>,
) {
  gpuTest(name, (gpu) =>
    withFolder(async (folder) => {
      await writeTokenizer(gpu, join(folder, "model"));
      await writeImages(folder, [[16, 12], [13, 17], [16, 12], [12, 12], [18, 12]]);
      using tokenizer = await Tokenizer.load(join(folder, "model"), { gpu });
      await test(tokenizer, [0, 1, 2, 3, 4].map((i) => join(folder, `${i}.png`)), folder, gpu);
    }));
}

const original: EvaluateOptions = { protocol: "original", judges: COLOURS, byScale: true };

withImages("evaluate: each measure's definition", async (tokenizer, files, _, gpu) => {
  const images = await Promise.all(files.map((file) => loadImage(file)));
  const colours = (image: { data: Uint8Array }) =>
    Float32Array.from([0, 1, 2], (c) => {
      const values = image.data.filter((_, i) => i % 3 === c);
      return values.reduce((sum, value) => sum + value, 0) / values.length / 127.5 - 1;
    });
  const tokens: Tokens[] = [];
  const [discrete, continuous] = [[], []] as (typeof images)[];
  for (const image of images) {
    tokens.push(await tokenizer.encode(image));
    discrete.push(await tokenizer.decode(tokens.at(-1)!));
    continuous.push(await tokenizer.reconstruct(image));
  }
  const report = await flat(gpu, () => evaluate(tokenizer, files, original));
  for (const [set, found] of [["discrete", discrete], ["continuous", continuous]] as const) {
    const quality = report[set];
    assertAlmostEquals(quality.psnr!, meanPsnr(found, images), 1e-9);
    assertAlmostEquals(quality.ssim, meanSsim(found, images), 1e-9);
    assertEquals(quality.lpips, undefined);
    const sets = [found.map(colours), images.map(colours)] as const;
    assertAlmostEquals(quality.distances["colours-fd"], frechetDistance(...sets), 1e-6);
    assertAlmostEquals(quality.distances["colours-kid"], pairedKernelDistance(...sets), 1e-5);
  }
  const { scales, size, ...all } = report.codebook;
  assertEquals(size, 16);
  assertEquals(all, codebookUse(tokens.flatMap(({ indices }) => indices), 16));
  assertEquals(scales, [0, 1, 2].map((s) => codebookUse(tokens.map((t) => t.indices[s]), 16)));
  const bits = tokens.flatMap(({ indices }) =>
    indices
  ).reduce((sum, { length }) => sum + length, 0) * 4;
  assertAlmostEquals(report.bitsPerPixel, bits / (16 * 12 * 2 + 13 * 17 + 144 + 18 * 12), 1e-12);
  assertEquals([report.images, report.skipped, report.stopped], [5, 0, false]);
  for (const [i, { scales, ...prefix }] of report.prefixes.entries()) {
    const found: typeof images = [];
    for (const one of tokens) found.push(await tokenizer.decode(one, { scales }));
    assertEquals(scales, i + 1);
    assertAlmostEquals(prefix.psnr!, meanPsnr(found, images), 1e-9);
    assertAlmostEquals(prefix.ssim, meanSsim(found, images), 1e-9);
  }
  assertEquals(report.prefixes.length, 3);
  assertEquals(report.prefixes[2].bitsPerPixel, report.bitsPerPixel);
  const first = tokens.reduce((sum, { indices }) => sum + indices[0].length, 0) * 4;
  assertAlmostEquals(report.prefixes[0].bitsPerPixel, report.bitsPerPixel * first / bits, 1e-12);
  assertEquals([report.protocol, report.off], ["original", COLOURS.off]);
});

withImages("evaluate: goes on where it was stopped or killed", async (tokenizer, files, folder) => {
  const whole = await evaluate(tokenizer, files, original);
  const out = join(folder, "results");
  const stop = new AbortController();
  const half = await evaluate(tokenizer, files, {
    ...original,
    out,
    signal: stop.signal,
    onImage: (done) => done === 3 && stop.abort(),
  });
  assertEquals([half.images, half.stopped], [3, true]);
  // The kill came in the middle of the third image's line.
  const lines = join(out, "images.jsonl");
  const text = await Deno.readTextFile(lines);
  await Deno.writeTextFile(lines, text.slice(0, -20));
  let before = -1;
  const options = { ...original, out, onBegin: (done: number) => before = done };
  assertEquals(await evaluate(tokenizer, files, options), whole);
  assertEquals(before, 2);
  assertEquals((await Deno.readTextFile(lines)).slice(0, text.length), text);
  assertEquals(await evaluate(tokenizer, files, options), whole);
  assertEquals(before, 5);
  // Of fewer images, those alone count.
  const fewer = await evaluate(tokenizer, files.slice(2), options);
  assertEquals(fewer, await evaluate(tokenizer, files.slice(2), original));
  // An image that has changed is measured again, whatever it is called.
  await saveImage(files[1], pattern(13, 17, 9));
  const found = await evaluate(tokenizer, files.map((file) => relative(".", file)), options);
  const expected = await evaluate(tokenizer, files, original);
  assertEquals(before, 4);
  assertEquals(found.codebook, expected.codebook);
  assertAlmostEquals(found.discrete.psnr!, expected.discrete.psnr!, 1e-9);
  assert(Math.abs(found.discrete.psnr! - whole.discrete.psnr!) > 1e-6);
  await evaluate(tokenizer, files, options);
  assertEquals(before, 5);
  const other = new AutoencoderKL(tokenizer.gpu, tokenizer.vae.config);
  other.parameters.initialize(new Random(7));
  for (
    const [change, text] of [
      [{ seed: 1 }, "was begun with seed 0; name another folder"],
      [{ continuous: { name: "the tokenizer's VAE", vae: other } }, "was begun with continuous"],
      [{ judges: { ...COLOURS, ids: { colours: "red" } } }, "was begun with judges {}"],
    ] as const
  ) {
    await assertRejects(
      () => evaluate(tokenizer, files, { ...options, ...change }),
      RunError,
      text,
    );
  }
  other[Symbol.dispose]();
});

withImages("evaluate: one at a time has a folder of results", async (tokenizer, files, folder) => {
  const out = join(folder, "results");
  let isFree: boolean | undefined;
  await evaluate(tokenizer, files.slice(0, 1), {
    ...original,
    out,
    onImage: () => {
      using lock = Deno.openSync(join(out, ".lock"));
      isFree = lock.tryLockSync(true);
    },
  });
  assertEquals(isFree, false);
  {
    using _ = await lockFolder(out);
    const second = evaluate(tokenizer, files, { ...original, out });
    await assertRejects(() => second, RunError, "is being written by process");
  }
  assertEquals((await evaluate(tokenizer, files, { ...original, out })).images, files.length);
});

withImages("evaluate: a bad image is told and left out", async (tokenizer, files, folder) => {
  const bad = join(folder, "bad.png");
  await Deno.writeTextFile(bad, "no image");
  await writeImages(join(folder, "small"), [[4, 4]]); // SSIM's window does not fit
  const small = join(folder, "small", "0.png");
  const skipped: string[] = [];
  const report = await evaluate(tokenizer, [bad, ...files, small], {
    ...original,
    onSkip: (file) => skipped.push(file),
  });
  assertEquals(skipped, [bad, small]);
  assertEquals({ ...report, skipped: 0 }, await evaluate(tokenizer, files, original));
  assertEquals(report.skipped, 2);
  await assertRejects(() => evaluate(tokenizer, [bad], original), ImageError, "is not an image");
  const skipAll = { ...original, onSkip: () => {} };
  const none = "none of the 2 images could be measured";
  await assertRejects(() => evaluate(tokenizer, [bad, small], skipAll), RangeError, none);
  await assertRejects(() => evaluate(tokenizer, [], skipAll), RangeError, "there are no images");
  // What is not of the image would fail for all of them.
  const [colours] = COLOURS.networks;
  const pooled = () => {
    throw new RangeError("a fault");
  };
  const judges = { ...COLOURS, networks: [{ ...colours, pooled }] };
  const run = () => evaluate(tokenizer, files, { ...skipAll, judges });
  await assertRejects(run, RangeError, "a fault");
});

withImages("evaluate: one image has no distances", async (tokenizer, files) => {
  const { discrete } = await evaluate(tokenizer, files.slice(0, 1), original);
  assertEquals(discrete.distances, {});
  assert(discrete.psnr! > 0);
});

gpuTest(
  "evaluate at coda-official: by seed and name, not by company",
  (gpu) =>
    withFolder(async (folder) => {
      const vae = { ...TINY_VAE, midAttention: false }; // which at 256² takes its time
      await writeTokenizer(gpu, join(folder, "model"), { vae });
      using tokenizer = await Tokenizer.load(join(folder, "model"), { gpu });
      const files = ["a.png", "b.png"].map((name) => join(folder, name));
      for (const [i, file] of files.entries()) await saveImage(file, pattern(40, 30, 7 + i));
      const psnrs = async (files: string[], seed: number) => {
        const report = await evaluate(tokenizer, files, { protocol: "coda-official", seed });
        return [report.continuous.psnr!, report.discrete.psnr!];
      };
      const byScale = await evaluate(tokenizer, files.slice(0, 1), {
        protocol: "coda-official",
        byScale: true,
      });
      const [a, b, other] = [
        [byScale.continuous.psnr!, byScale.discrete.psnr!],
        await psnrs(files.slice(1), 0),
        await psnrs(files.slice(0, 1), 1),
      ];
      assert(other[0] !== a[0] && other[1] !== a[1]);
      const both = await psnrs(files.toReversed(), 0);
      both.forEach((mean, i) => assertAlmostEquals(mean, (a[i] + b[i]) / 2, 1e-9));
      assertEquals(byScale.prefixes.length, 3);
      assertEquals(byScale.prefixes[2].psnr, a[1]);
      assert(byScale.prefixes[0].psnr !== a[1]);
    }),
);
