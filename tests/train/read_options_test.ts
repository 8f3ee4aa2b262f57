import { assertEquals, assertThrows } from "@std/assert";
import { CheckpointError } from "../../src/checkpoint/mod.ts";
import { resolveOptions } from "../../src/train/mod.ts";
import { readOptions } from "../../src/train/read_options.ts";

const OPTIONS = {
  ...resolveOptions({ images: ["images"], steps: 100, lr: 1e-3 }),
  patchSizes: [1, 2],
};

/** As a config.json has it. */
function stored(training: Record<string, unknown>): Record<string, unknown> {
  return JSON.parse(JSON.stringify({ training }));
}

Deno.test("readOptions: gives what a run wrote", () => {
  assertEquals(readOptions(stored(OPTIONS), "config.json"), OPTIONS);
});

Deno.test("readOptions: names file and field of what is no option", () => {
  for (
    const [changes, message] of [
      [{ steps: "many" }, 'run/config.json: training.steps is "many", expected a number'],
      [{ lr: undefined }, "run/config.json: training.lr is missing, expected a number"],
      [{ vae: 1 }, "run/config.json: training.vae is 1, expected a text"],
      [{ images: "a" }, 'run/config.json: training.images is "a", expected a list of texts'],
      [{ patchSizes: [1, null] }, "training.patchSizes is [1,null], expected a list of numbers"],
      [{ batch: 0 }, "run/config.json: training.batch is 0, expected a whole number from 1 up"],
    ] as const
  ) {
    const config = stored({ ...OPTIONS, ...changes });
    assertThrows(() => readOptions(config, "run/config.json"), CheckpointError, message);
  }
  assertThrows(() => readOptions({}, "run/config.json"), CheckpointError, '"training" is missing');
});
