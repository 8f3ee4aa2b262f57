import { assert, assertEquals } from "@std/assert";
import { belowThresholds } from "../../src/cli/work/eval.ts";
import { reportText } from "../../src/cli/work/eval_text.ts";
import type { EvaluationReport } from "../../src/evaluate/mod.ts";

const use = { used: 0.5, perplexity: 2 };

/** A report of a hundred images. */
const REPORT: EvaluationReport = {
  protocol: "original",
  protocolWords: "images as they are",
  model: "m",
  continuousVae: "a VAE",
  images: 100,
  skipped: 0,
  stopped: false,
  off: [],
  bitsPerPixel: 1,
  continuous: { psnr: null, equal: 100, ssim: 1, distances: {} },
  discrete: { psnr: 12, equal: 1, ssim: 0.5, distances: {} },
  prefixes: [],
  codebook: { size: 4, ...use, scales: [use] },
};

Deno.test("the text says how many images equal their originals", () => {
  const lines = reportText(REPORT).split("\n");
  assert(lines.includes("PSNR           equal  12.00 dB (1 of 100 equal)"), lines.join("\n"));
});

Deno.test("a mean that is below a threshold is written with the digits that show it", () => {
  const none = { minPsnr: undefined, minSsim: undefined, minCodebook: undefined };
  const texts = (psnr: number | null, minPsnr: number) =>
    belowThresholds({ ...REPORT, discrete: { ...REPORT.discrete, psnr } }, { ...none, minPsnr });
  assertEquals(texts(21.49999, 21.5), ["--min-psnr 21.5 is not reached: 21.49999 at original"]);
  assertEquals(texts(20, 21.5), ["--min-psnr 21.5 is not reached: 20.000 at original"]);
  assertEquals(texts(21.5, 21.5), []);
  assertEquals(texts(null, 99), []); // all are equal
  const { length } = belowThresholds(REPORT, { minPsnr: 12.1, minSsim: 0.6, minCodebook: 0.6 });
  assertEquals(length, 3);
});
