import { assertEquals, assertStringIncludes } from "@std/assert";
import { coda } from "./program.ts";

Deno.test("adapt: numbers with which nothing would be learned end with 2", async () => {
  for (
    const [args, message] of [
      [["--steps", "0"], "--steps is 0, as is warmupSteps: there is nothing to do"],
      [["--lr", "0"], "--lr is 0, expected a number above 0"],
      [["--warmup-lr", "0"], "--warmup-lr is 0, expected a number above 0"],
      [["--codebook-size", "20000000"], "--codebook-size takes a whole number from 1 to 16777216"],
    ] as const
  ) {
    const run = await coda(["adapt", "photos", "--out", "run", ...args]);
    assertEquals({ code: run.code, stdout: run.stdout }, { code: 2, stdout: "" }, run.stderr);
    assertStringIncludes(run.stderr, `coda: ${message}`);
  }
});
