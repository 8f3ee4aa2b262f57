import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { lineOf } from "../../bench/report/display.ts";
import { markdown, slugOf } from "../../bench/report/markdown.ts";
import { nameOf, workOf } from "../../bench/report/operation.ts";
import { rateOf, type Report, type RowResult, secondsOf } from "../../bench/report/result.ts";
import { plan } from "../../bench/report/time.ts";

const PEAKS = { float32: 1e11, float16: null, copy: 1e10, loads: 2e8 };
const ROW: RowResult = {
  group: "Matmul",
  name: "512³",
  isWhole: false,
  flop: 2 * 512 ** 3,
  wall: 0.02,
  gpu: 0.01,
  calls: 8,
  rounds: 5,
};
const REPORT: Report = {
  setting: {
    adapter: "Some GPU",
    isCpu: false,
    driver: null,
    machine: "a machine",
    deno: "2.9.6",
    commit: "abc1234",
    command: "deno task bench:report --only a|b",
    date: "2026-01-01 00:00 UTC",
  },
  peaks: PEAKS,
  torch: { absent: "there is no python3" },
  rows: [ROW, { ...ROW, group: "Softmax", name: "rows", flop: undefined, bytes: 1e8, gpu: null }],
};

Deno.test("slugOf: an adapter's name as a file name", () => {
  assertEquals(slugOf("llvmpipe (LLVM 15.0.6, 256 bits)"), "llvmpipe-llvm-15-0-6-256-bits");
  assertEquals(slugOf("NVIDIA H200"), "nvidia-h200");
  assertEquals(slugOf("…"), "adapter");
});

Deno.test("rateOf: operations beside the multiply-adds, bytes beside the copy", () => {
  const flop = rateOf(ROW, PEAKS)!;
  assertAlmostEquals(flop.perSecond, 2 * 512 ** 3 / 0.01);
  assertAlmostEquals(flop.share, 2 * 512 ** 3 / 0.01 / 1e11);
  const bytes = rateOf({ ...ROW, flop: undefined, bytes: 1e8 }, PEAKS)!;
  assertEquals([bytes.unit, bytes.share], ["B/s", 1]);
  assertEquals(rateOf({ ...ROW, flop: undefined }, PEAKS), undefined);
});

Deno.test("secondsOf: the GPU's where they are known, the clock's for whole work", () => {
  assertEquals(secondsOf(ROW), 0.01);
  assertEquals(secondsOf({ ...ROW, gpu: null }), 0.02);
  assertEquals(secondsOf({ ...ROW, isWhole: true }), 0.02);
});

Deno.test("plan: rounds as long as wanted, and no more of them than there is time for", () => {
  const budget = { round: 0.25, all: 5 };
  assertEquals(plan(0.01, budget), { calls: 25, rounds: 7 });
  assertEquals(plan(2, budget), { calls: 1, rounds: 2 });
  assertEquals(plan(100, budget), { calls: 1, rounds: 1 });
  assertEquals(plan(1e-9, budget), { calls: 512, rounds: 7 });
});

Deno.test("workOf and nameOf: convolutions and products", () => {
  const conv = { op: "conv2d", size: 128, cin: 3, cout: 8, kernel: 3, stride: 2 } as const;
  assertEquals(workOf({ ...conv, pass: "forward" }), { flop: 2 * 64 * 64 * 9 * 3 * 8 });
  assertEquals(
    nameOf({ ...conv, pass: "weight gradient" }),
    "3×3, stride 2, 3→8 at 128², weight gradient",
  );
  const product = { op: "matmul", m: 2, k: 3, n: 4, transposeB: true } as const;
  assertEquals([nameOf(product), workOf(product).flop], ["[2, 3] · [4, 3]ᵀ", 48]);
  assertEquals(workOf({ op: "softmax", rows: 2, columns: 5 }), { bytes: 80 });
});

Deno.test("lineOf: what is left is the mean of what was done", () => {
  const line = lineOf("a row", { done: 2, count: 6, seconds: 10 });
  assertEquals(line, "2 of 6 rows, about 20.0 s left · a row");
  assertEquals(lineOf("a row", { done: 0, count: 6, seconds: 1 }), "0 of 6 rows · a row");
});

Deno.test("markdown: rates and shares, and why PyTorch is not there", () => {
  const text = markdown(REPORT);
  assert(text.includes("| PyTorch | not asked: there is no python3"), text);
  assert(text.includes("--only a\\|b`"), text);
  assert(text.includes("| 512³ | 10  | 20   | 26.8 GFLOP/s | 27 %        |"), text);
  assert(text.includes("| rows | –   | 20   | 5 GB/s | 50 %        |"), text);
  assert(!text.includes("On a CPU adapter"), text);
});

Deno.test("markdown: what loads allow products on a CPU adapter", () => {
  const text = markdown({ ...REPORT, setting: { ...REPORT.setting, isCpu: true } });
  assert(text.includes("8 loads for 512 operations, which allows 12.8 GFLOP/s."), text);
});

Deno.test("markdown: PyTorch's times stand beside ours", () => {
  const torch = { float32: 0.03, bfloat16: 0.005 };
  const rows = [{ ...ROW, torch }, { ...ROW, name: "odd", torch: { error: "no" } }];
  const text = markdown({ ...REPORT, rows, torch: { name: "PyTorch 2 on Some GPU" } });
  assert(/\| 512³ .* \| 30 +\| 5 +\| 1.5 × +\|/.test(text), text);
  assert(/\| odd .* \| failed +\| failed +\| – +\|/.test(text), text);
});
