import { assertEquals, assertThrows } from "@std/assert";
import { OutOfMemoryError } from "../../src/gpu/mod.ts";
import { planStep, type StepWay } from "../../src/train/step_plan.ts";

/** A step that takes 100 bytes an image, 40 with checkpointing; a recording takes as much again by half. */
function bytesOf({ batch, accumulate, checkpointing, isReplayed }: StepWay): number {
  if (batch > 64) return Infinity;
  const image = (checkpointing ? 40 : 100) * (isReplayed ? 1.5 : 1);
  return batch * image + (accumulate > 1 ? 10 : 0);
}

/** The plan of 24 images with 50 bytes in use, and how many ways were measured. */
function plan(most: number, settled: { accumulate?: number; checkpointing?: boolean } = {}) {
  let measured = 0;
  const found = planStep({
    images: 24,
    ...settled,
    used: 50,
    most,
    measure(way) {
      measured++;
      assertEquals(way.batch * way.accumulate, 24);
      return bytesOf(way);
    },
  });
  const { batch, accumulate, checkpointing, isReplayed, bytes } = found;
  return { told: [batch, accumulate, checkpointing, isReplayed, bytes], measured };
}

Deno.test("planStep: the largest batches that fit, activations kept as long as one image does", () => {
  assertEquals(plan(10_000).told, [24, 1, false, true, 3650]);
  assertEquals(plan(3650).told, [24, 1, false, true, 3650]);
  assertEquals(plan(3649).told, [12, 2, false, true, 1860]);
  assertEquals(plan(1000).told, [6, 4, false, true, 960]);
  assertEquals(plan(210).told, [1, 24, false, true, 210]);
});

Deno.test("planStep: then activations are computed again, then steps not replayed", () => {
  assertEquals(plan(209).told, [2, 12, true, true, 180]);
  assertEquals(plan(120).told, [1, 24, true, true, 120]);
  assertEquals(plan(119).told, [1, 24, true, false, 100]);
  const { message } = assertThrows(() => plan(99), OutOfMemoryError);
  assertEquals(
    message,
    "a training step does not fit into 1 KiB of GPU memory: even with one image at once and " +
      "activations computed again it needs 1 KiB, 1 KiB of that in use already; " +
      "give it smaller images, a lower rank or more memory",
  );
});

Deno.test("planStep: what is settled stays", () => {
  assertEquals(plan(10_000, { checkpointing: true }).told, [24, 1, true, true, 1490]);
  assertEquals(plan(205, { checkpointing: false }).told, [1, 24, false, false, 160]);
  assertEquals(plan(10_000, { accumulate: 4 }).told, [6, 4, false, true, 960]);
  assertEquals(plan(959, { accumulate: 4 }).told, [6, 4, true, true, 420]);
  const advice = "even with 6 images at once it needs 1 KiB, 1 KiB of that in use already; " +
    "give it smaller batches, checkpointing, smaller images, a lower rank or more memory";
  const settled = { accumulate: 4, checkpointing: false };
  assertThrows(() => plan(500, settled), OutOfMemoryError, advice);
});

Deno.test("planStep: few ways are measured, and those that the adapter cannot bind are passed over", () => {
  const measured: number[] = [];
  const { batch } = planStep({
    images: 256,
    used: 0,
    most: 1e6,
    measure: (way) => {
      measured.push(way.batch);
      return bytesOf(way);
    },
  });
  assertEquals([batch, measured.length], [64, 4]);
  const nothing = () => planStep({ images: 2, used: 0, most: 1, measure: () => Infinity });
  assertThrows(nothing, OutOfMemoryError, "parts of it exceed what the adapter binds at once");
});
