import { assertAlmostEquals, assertEquals } from "@std/assert";
import { ProgressMeter, type StepInfo } from "../../src/train/progress.ts";

const INFO: StepInfo = { step: 1, total: 20, phase: "joint", lr: 1 };
const NUMBERS = { total: 1, vq: 1, entropy: 0, gradNorm: 2, accReal: 0.5 };

Deno.test("a report has use and perplexity of each scale, and the codes that none of them chose", () => {
  const counts = [new Uint32Array([3, 0, 0, 0]), new Uint32Array([1, 2, 2, 0])];
  const report = new ProgressMeter().report(INFO, { numbers: NUMBERS, counts, images: 5 });
  assertEquals([report.codebookUse, report.deadCodes], [0.75, 0.25]);
  assertEquals(report.scales[0], { used: 0.25, perplexity: 1 });
  assertEquals(report.scales[1].used, 0.75);
  const entropy = -(0.2 * Math.log(0.2) + 0.8 * Math.log(0.4));
  assertAlmostEquals(report.scales[1].perplexity, Math.exp(entropy), 1e-12);
  assertAlmostEquals(report.perplexity!, Math.exp(1.5 * Math.LN2), 1e-12); // 4, 2, 2 of 8
  assertEquals([report.gradNorm, report.losses], [2, { total: 1, vq: 1, entropy: 0 }]);
  assertEquals(report.measures, { accReal: 0.5 });
});

Deno.test("a report without a quantizer has no use of codes", () => {
  const report = new ProgressMeter().report(INFO, { numbers: NUMBERS, counts: [], images: 5 });
  assertEquals([report.codebookUse, report.deadCodes, report.perplexity], [
    undefined,
    undefined,
    undefined,
  ]);
  assertEquals(report.scales, []);
});

Deno.test("the last eight reports are counted together", () => {
  const meter = new ProgressMeter();
  const chosen = (code: number) =>
    meter.report(INFO, {
      numbers: NUMBERS,
      counts: [Uint32Array.from({ length: 10 }, (_, i) => i === code ? 1 : 0)],
      images: 0,
    }).codebookUse;
  const found = Array.from({ length: 10 }, (_, code) => chosen(code));
  assertEquals(found.slice(0, 8), [1, 2, 3, 4, 5, 6, 7, 8].map((n) => n / 10));
  assertEquals(found.slice(8), [0.8, 0.8]);
});

Deno.test("the rate is that of the time since the last report, but not of an instant", () => {
  let time = 0;
  const meter = new ProgressMeter(() => time);
  const rateAt = (now: number, images: number) => {
    time = now;
    const counts = [new Uint32Array([1])];
    return meter.report(INFO, { numbers: NUMBERS, counts, images }).imagesPerSecond;
  };
  assertEquals(rateAt(1000, 10), 10);
  assertEquals(rateAt(1001, 20), 10); // read with the one before
  assertEquals(rateAt(3000, 50), 20); // 40 images in two seconds
  time = 10_000;
  meter.restart();
  assertEquals(rateAt(11_000, 55), 5);
});
