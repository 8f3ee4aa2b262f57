import { assertEquals, assertStringIncludes } from "@std/assert";
import { Progress, type ProgressOptions } from "../../src/cli/progress.ts";

/** A progress line with a clock in hand, and what it has written. */
function fake(isTerminal: boolean, options: Partial<ProgressOptions> = {}) {
  const written: string[] = [];
  const clock = { seconds: 0 };
  const output = {
    isTerminal,
    columns: () => 60,
    write: (text: string) => void written.push(text),
  };
  const progress = new Progress({
    label: "encode",
    unit: "images",
    total: 100,
    output,
    now: () => clock.seconds * 1000,
    ...options,
  });
  return { progress, written, clock };
}

Deno.test("progress: work under two seconds shows nothing", () => {
  for (const isTerminal of [true, false]) {
    const { progress, written, clock } = fake(isTerminal);
    clock.seconds = 1.9;
    progress.update(100);
    progress[Symbol.dispose]();
    assertEquals(written, []);
  }
});

Deno.test("progress: a terminal's line is redrawn with count, rate and time left, then cleared", () => {
  const { progress, written, clock } = fake(true);
  clock.seconds = 4;
  progress.update(8, "loss 0.5");
  assertEquals(written, ["\rencode  8/100 images  2.00 images/s  ETA 46.0 s  loss 0.5\x1b[K"]);
  clock.seconds = 4.05;
  progress.update(9);
  assertEquals(written.length, 1, "redrawn too soon");
  clock.seconds = 4.2;
  progress.update(10);
  assertEquals(written.length, 2);
  progress[Symbol.dispose]();
  assertEquals(written.at(-1), "\r\x1b[K");
});

Deno.test("progress: a line never exceeds the terminal's width", () => {
  const { progress, written, clock } = fake(true);
  clock.seconds = 3;
  progress.update(1, "x".repeat(200));
  assertEquals(written[0].replace("\r", "").replace("\x1b[K", "").length, 59);
  progress[Symbol.dispose]();
});

Deno.test("progress: without a terminal, a plain line every ten seconds", () => {
  const { progress, written, clock } = fake(false);
  for (let i = 1; i <= 25; i++) {
    clock.seconds = i;
    progress.update(i);
  }
  progress[Symbol.dispose]();
  assertEquals(written.map((line) => line.split("  ")[1]), [
    "2/100 images",
    "12/100 images",
    "22/100 images",
  ]);
  for (const line of written) {
    assertEquals(line.endsWith("\n"), true);
    assertEquals(line.includes("\r") || line.includes("\x1b"), false);
  }
});

Deno.test("progress: the rate is the recent one, and resumed work counts from its start", () => {
  const { progress, written, clock } = fake(true, { start: 40 });
  clock.seconds = 20;
  progress.update(42);
  assertStringIncludes(written.at(-1)!, "0.10 images/s");
  clock.seconds = 40;
  progress.update(82);
  assertStringIncludes(written.at(-1)!, "2.00 images/s  ETA 9.0 s");
  progress[Symbol.dispose]();
});

Deno.test("progress: what is found to be done before is not of the rate", () => {
  const { progress, written, clock } = fake(true, {});
  clock.seconds = 10;
  progress.begin(40);
  clock.seconds = 20;
  progress.update(42);
  assertStringIncludes(written.at(-1)!, "0.20 images/s");
  progress[Symbol.dispose]();
});

Deno.test("progress: an unknown total shows no time left", () => {
  const { progress, written, clock } = fake(true, { total: undefined });
  clock.seconds = 2;
  progress.update(1);
  assertEquals(written, ["\rencode  1 images  0.50 images/s\x1b[K"]);
  progress[Symbol.dispose]();
});

Deno.test("progress: a message stands above the line; quiet work still says it", () => {
  const { progress, written, clock } = fake(true);
  clock.seconds = 2;
  progress.update(1);
  progress.message("bad.png is no image");
  assertEquals(written.slice(1), ["\r\x1b[K", "bad.png is no image\n", written[0]]);
  progress[Symbol.dispose]();
  const quiet = fake(true, { quiet: true });
  quiet.clock.seconds = 5;
  quiet.progress.update(1);
  quiet.progress.message("bad.png is no image");
  quiet.progress[Symbol.dispose]();
  assertEquals(quiet.written, ["bad.png is no image\n"]);
});
