import { assert, assertEquals, assertRejects } from "@std/assert";
import { Gpu, OutOfMemoryError } from "../../src/gpu/mod.ts";
import {
  adapt,
  type AdaptOptions,
  OptionError,
  resumeAdapt,
  type StepPlan,
} from "../../src/train/mod.ts";
import { gpuTest } from "../support/gpu.ts";
import { TinyGround } from "./tiny.ts";

/** A run on a device with so much memory: its plan, and the most that it took. */
async function run(ground: TinyGround, name: string, options: AdaptOptions, memoryBytes?: number) {
  using gpu = await Gpu.create({ memoryBytes });
  const plans: StepPlan[] = [];
  await adapt(gpu, ground.path(name), options, { onPlan: (plan) => plans.push(plan) });
  const folder = ground.path(`${name}/checkpoints/step-${options.steps}`);
  const state = await Deno.readFile(`${folder}/training.safetensors`);
  return { plan: plans[0], state, peak: gpu.memory.reservedPeak };
}

gpuTest("adapt: a step that is planned is the step that one may ask for", async () => {
  await using ground = await TinyGround.make(await Gpu.create());
  const { warmupSteps: _, ...given } = ground.options;
  const options = { ...given, imageSize: 16, batch: 4, steps: 2, sampleEvery: 0 };
  const cut = { ...options, batch: 1, accumulate: 4 };
  const asked = await run(ground, "asked", cut);
  assertEquals(asked.plan, undefined);
  const { plan } = await run(ground, "roomy", { ...cut, checkpointing: true }, 2 ** 30);
  assertEquals([plan.batch, plan.accumulate, plan.checkpointing], [1, 4, true]);
  const memoryBytes = 1.02 * plan.bytes;
  const tight = await run(ground, "tight", options, memoryBytes);
  assertEquals(tight.plan, plan);
  assertEquals(tight.state, asked.state);
  assert(tight.peak <= memoryBytes, `${tight.peak} of ${memoryBytes} bytes`);
  const { training } = JSON.parse(await Deno.readTextFile(ground.path("tight/config.json")));
  assertEquals([training.batch, training.accumulate, training.checkpointing], [1, 4, true]);

  using gpu = await Gpu.create({ memoryBytes });
  const resume = (changes: Partial<AdaptOptions>) =>
    resumeAdapt(gpu, ground.path("tight"), changes);
  await assertRejects(() => resume({ accumulate: 2 }), OptionError, "the run began with 4");
  assertEquals((await resume({})).step, 2);
});

gpuTest("adapt: where no step fits, that is said before anything is written", async () => {
  await using ground = await TinyGround.make(await Gpu.create());
  const tooLarge = run(ground, "none", { ...ground.options, imageSize: 64 }, 2 ** 20);
  await assertRejects(() => tooLarge, OutOfMemoryError, "does not fit into 1008 KiB");
  await assertRejects(() => Deno.stat(ground.path("none")), Deno.errors.NotFound);
});
