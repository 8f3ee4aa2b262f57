import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { flopAt } from "../../bench/claims/compute.ts";
import { figure } from "../../bench/claims/figure.ts";
import { momentsOf } from "../../bench/claims/log.ts";
import { markdownOf, partsMarkdownOf } from "../../bench/claims/markdown.ts";
import { type ClaimsResult, publishedOf, type RunResult } from "../../bench/claims/result.ts";
import { PARTS, patchSizesOf, runsOf } from "../../bench/claims/runs.ts";
import { difference, verdictsOf } from "../../bench/claims/verdicts.ts";
import { resolveOptions } from "../../src/train/options.ts";

const SIZES = { steps: 30, warmupSteps: 10, batch: 2, imageSize: 64, codebookSize: 32, seed: 1 };
const RUNS = runsOf(SIZES, { photos: "train", heldout: "heldout" });

/** Runs of which each is better than the one before, and of VQGAN, the last of the methods, worse. */
function resultOf(change: (run: RunResult) => RunResult = (run) => run): ClaimsResult {
  const runs = RUNS.map(({ name, title, trains, claim }, i): RunResult => {
    const good = name.startsWith("vqgan") ? -1 : i;
    return change({
      name,
      title,
      trains,
      claim,
      commit: "abc1234",
      levels: 10,
      heldOut: {
        psnr: 20 + good,
        ssim: 0.5,
        kid: 3 - good / 10,
        psnrs: [20 + good, 20 + good],
        kidsWithout: [3 - good / 10, 3 - good / 10],
        tokens: 680,
        codebook: { used: name === "coda" ? 1 : 0.5, perplexity: 20 },
      },
      training: [{ step: 10, codebookUse: 0.9, perplexity: 8 }],
      looks: [{ step: -5, psnr: 12, codebookUse: 0.9, perplexity: 8 }],
    });
  });
  const compute = { latents: 1e12, warmup: 2e12, warmupSteps: 10, step: 1e12 };
  return {
    setting: {
      adapter: "Some GPU",
      isCpu: false,
      driver: null,
      machine: "a machine",
      deno: "2.9.6",
      commit: "abc1234",
      command: "deno run -A bench/claims.ts",
      date: "2026-01-01 00:00 UTC",
    },
    sizes: SIZES,
    photographs: { train: 9, heldOut: 5, lookedAt: 3 },
    continuous: { psnr: 30, ssim: 0.9, kid: 0.1, psnrs: [30, 30], kidsWithout: [0.1, 0.1] },
    compute: { coda: compute, vqgan: { ...compute, latents: 0, warmup: 0, warmupSteps: 0 } },
    runs,
  };
}

Deno.test("runsOf: every run is one that the trainer takes, and VQGAN's is six times as long", () => {
  const resolved = Object.fromEntries(
    RUNS.map(({ name, options }) => [name, resolveOptions(options)]),
  );
  assertEquals(resolved.vqgan.steps, 6 * resolved.coda.steps);
  assertEquals(resolved["vqgan-short"].steps, resolved.coda.steps);
  assertEquals(resolved.vqgan.batch, resolved.coda.batch);
  assertEquals(resolved["coda-frozen"].rank, 0);
  assertEquals(resolved.coda.rank, 32);
});

Deno.test("patchSizesOf: some of the ten grids, the finest among them", () => {
  assertEquals(patchSizesOf(1), [16]);
  assertEquals(patchSizesOf(2), [1, 16]);
  assertEquals(patchSizesOf(4), [1, 4, 8, 16]);
  assertEquals(patchSizesOf(10), [1, 2, 3, 4, 5, 6, 8, 10, 13, 16]);
});

Deno.test("flopAt: latents and the steps alone come before the first joint step", () => {
  const { compute: { coda, vqgan } } = resultOf();
  assertAlmostEquals(flopAt(coda, -10), 1e12);
  assertAlmostEquals(flopAt(coda, -5), 2e12);
  assertAlmostEquals(flopAt(coda, 0), 3e12);
  assertAlmostEquals(flopAt(coda, 4), 7e12);
  assertAlmostEquals(flopAt(vqgan, 4), 4e12);
});

Deno.test("momentsOf: reports of joint steps, and looks, from the first joint step on", async () => {
  const folder = await Deno.makeTempDir();
  const use = { codebookUse: 0.5, perplexity: 7 };
  const lines = [
    { step: 4, phase: "warmup", ...use },
    { step: 8, evaluation: { psnr: 11, ...use } },
    { step: 12, phase: "joint", ...use },
  ];
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  await Deno.writeTextFile(`${folder}/metrics.jsonl`, text);
  assertEquals(await momentsOf(folder, 10), {
    training: [{ step: 2, ...use }],
    looks: [{ step: -2, psnr: 11, ...use }],
  });
  await Deno.remove(folder, { recursive: true });
});

Deno.test("verdictsOf: what is as the paper says holds, and what is not does not", () => {
  assert(verdictsOf(resultOf()).every(({ holds }) => holds === "yes"));
  const changed = (name: string, kid: number, psnr: number, used: number) =>
    verdictsOf(resultOf((run) => ({
      ...run,
      ...run.name === name && {
        heldOut: {
          ...run.heldOut,
          kid,
          psnr,
          psnrs: [psnr, psnr],
          kidsWithout: [kid, kid],
          codebook: { ...run.heldOut.codebook, used },
        },
      },
    }))).map(({ holds }) => holds);
  const [use, training, partsPsnr, partsKid, , , , levelsKid] = changed("vqgan", 0.1, 40, 1);
  assertEquals([use, training], ["no", "no"]);
  assertEquals([partsPsnr, partsKid, levelsKid], ["yes", "yes", "yes"]);
  assertEquals(changed("coda-frozen", 5, 21.5, 0.5).slice(2, 4), ["yes", "no"]);
  assertEquals(changed("coda-4", 5, 5, 0.5).slice(4), ["yes", "yes", "no", "no"]);
  assertEquals(changed("coda-frozen", 2.9, 21, 0.5).slice(2, 4), ["too close", "too close"]);
});

Deno.test("difference: its standard error is that of paired values, and the jackknife's", () => {
  const quality = (psnrs: number[], kidsWithout: number[]) => ({
    psnr: psnrs[0],
    ssim: 0,
    kid: kidsWithout[0],
    psnrs,
    kidsWithout,
  });
  const [a, b] = [quality([3, 5, 9], [1, 2, 3]), quality([2, 2, 2], [0, 0, 0])];
  // Differences 1, 3 and 7 have the variance 28/3; 1, 2 and 3 the sum of squares 2.
  assertAlmostEquals(difference(a, b, "psnr").error, Math.sqrt(28 / 3 / 3), 1e-12);
  assertAlmostEquals(difference(a, b, "kid").error, Math.sqrt(2 * 2 / 3), 1e-12);
  assertEquals([difference(a, b, "psnr").change, difference(a, b, "kid").change], [1, 1]);
});

Deno.test("markdownOf: what does not hold is said, and where and how it was measured", () => {
  const text = markdownOf(resultOf((run) => ({
    ...run,
    ...run.name === "vqgan" && { heldOut: { ...run.heldOut, psnr: 99, psnrs: [99, 99] } },
  })));
  assert(text.includes("**no**") && text.includes("commit\nabc1234"));
  assert(/CODA \|\s+5 alone \|\s+2\.00 \|\s+12\.00 dB/.test(text.replaceAll(/ +/g, " ")));
});

Deno.test("partsMarkdownOf: CODA's parts alone, with what does not hold of them", () => {
  const result = resultOf((run) => ({
    ...run,
    ...run.name === "coda" && { heldOut: { ...run.heldOut, psnr: 1, psnrs: [1, 1] } },
  }));
  const runs = result.runs.filter(({ name }) => PARTS.includes(name));
  const text = partsMarkdownOf({ ...result, runs });
  assert(text.includes("**no**") && !text.includes("VQGAN") && !text.includes("undefined"));
  assertEquals(text.match(/^\| .*nothing: the VAE is frozen/gm)?.length, 3);
});

Deno.test("publishedOf: the verdicts beside all that was measured of the set, nothing of each image", () => {
  const result = resultOf();
  const { verdicts, ...published } = JSON.parse(publishedOf(result, verdictsOf(result)));
  assertEquals(verdicts, verdictsOf(result));
  const { psnr, ssim, kid } = result.continuous;
  assertEquals(published.continuous, { psnr, ssim, kid });
  assertEquals(published.runs.length, result.runs.length);
});

Deno.test("figure: a chart for each claim, with what was measured in it", () => {
  const { concat } = figure(resultOf());
  assertEquals((concat as unknown[]).length, 4);
  assert(JSON.stringify(concat).includes("23.00 dB"));
});
