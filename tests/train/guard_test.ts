import { assert, assertEquals } from "@std/assert";
import { Parameters } from "../../src/nn/mod.ts";
import { fromArray, full, Replays } from "../../src/tensor/mod.ts";
import {
  AdamW,
  Adaptation,
  clipCoefficient,
  defaultRecipe,
  Ema,
  Guard,
} from "../../src/train/mod.ts";
import { assertSame } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { TINY_SIZE, tinyModel } from "./tiny.ts";

const SIZES = [1, 3, 1024, 1025, 70_001];

gpuTest(
  "Guard: names the first step, and in it the first tensor, with any bad number",
  async (gpu) => {
    const cases = [
      { loss: 1, gradient: 4, at: 70_000, value: NaN, what: "the loss b" },
      { loss: undefined, gradient: 4, at: 70_000, value: NaN, what: "the gradient of g4" },
      { loss: undefined, gradient: 3, at: 1024, value: Infinity, what: "the gradient of g3" },
      { loss: undefined, gradient: 0, at: 0, value: -Infinity, what: "the gradient of g0" },
      { loss: undefined, gradient: 2, at: 0, value: 3e38, what: "the gradient of g2" },
    ];
    for (const { loss, gradient, at, value, what } of cases) {
      await flat(gpu, async () => {
        using guard = new Guard(gpu);
        using _scope = gpu.scope();
        const step = (number: number, isBad: boolean) => {
          const losses = ["a", "b", "c"].map((name, i) => ({
            name,
            tensor: full(gpu, [], isBad && i === loss ? NaN : i),
          }));
          const gradients = SIZES.map((size, i) => {
            const data = new Float32Array(size).fill(0.5);
            if (isBad && i === gradient) data[at] = value;
            return { name: `g${i}`, tensor: fromArray(gpu, data, [size]) };
          });
          guard.prepare(number);
          return guard.clip(losses, [gradients], 10)[0];
        };
        const good = step(1, false);
        const tensors = SIZES.map((size) => full(gpu, [size], 0.5));
        const expected = clipCoefficient(tensors, 10);
        assertEquals(await good.coefficient.item(), await expected.coefficient.item());
        assertEquals(await guard.read(), undefined);
        assertEquals(await step(2, true).coefficient.item(), -1);
        assertEquals(await step(3, false).coefficient.item(), -1);
        step(4, true);
        assertEquals(await guard.read(), { step: 2, what });
      });
    }
  },
);

gpuTest("Guard: a fault of one side halts the others too", async (gpu) => {
  await flat(gpu, async () => {
    using guard = new Guard(gpu);
    using _scope = gpu.scope();
    guard.prepare(1);
    const sides = [1, NaN].map((value, i) => [{ name: `g${i}`, tensor: full(gpu, [3], value) }]);
    const clips = guard.clip([{ name: "l", tensor: full(gpu, [], 0) }], sides, 10);
    assertEquals(await Promise.all(clips.map(({ coefficient }) => coefficient.item())), [-1, -1]);
    assertEquals(await guard.read(), { step: 1, what: "the gradient of g1" });
  });
});

gpuTest("Guard: what it halts moves neither parameters nor moments nor averages", async (gpu) => {
  using parameters = new Parameters(gpu);
  parameters.declare("weight", [5]);
  parameters.set("weight", Float32Array.of(1, 2, 3, 4, 5));
  using optimizer = new AdamW(parameters);
  using ema = new Ema(parameters);
  using guard = new Guard(gpu);
  const step = (value: number, average: Ema | undefined) => {
    using _scope = gpu.scope();
    const gradients = [full(gpu, [5], value)];
    guard.prepare(optimizer.steps + 1);
    const named = gradients.map((tensor) => ({ name: "weight", tensor }));
    const [{ coefficient }] = guard.clip([{ name: "l", tensor: full(gpu, [], 0) }], [named], 10);
    optimizer.step(gradients, { lr: 0.1, ratio: 0.5, coefficient, ema: average });
  };
  const state = async () =>
    (await Promise.all(
      [parameters, optimizer.first, optimizer.second, ema.average].map((set) => set.weights()),
    )).flatMap(([{ data }]) => [...data]);
  step(1, ema);
  const before = await state();
  for (const average of [ema, undefined]) {
    step(NaN, average);
    step(1, average);
  }
  assertSame(await state(), before);
});

gpuTest("Guard: a replayed step is watched under its own number", async (gpu) => {
  using guard = new Guard(gpu);
  using replays = new Replays(gpu);
  for (const [i, value] of [1, 2, NaN, 4].entries()) {
    using gradient = full(gpu, [3], value);
    guard.prepare(10 + i);
    const outputs = replays.run("step", [gradient], ([tensor]) => {
      const loss = { name: "l", tensor: full(gpu, [], 1) };
      return [guard.clip([loss], [[{ name: "weight", tensor }]], 10)[0].coefficient];
    });
    for (const output of outputs) output.dispose();
  }
  assertEquals(await guard.read(), { step: 12, what: "the gradient of weight" });
});

gpuTest("Adaptation: a step with a bad number and those after it move nothing", async (gpu) => {
  using model = tinyModel(gpu);
  using adaptation = new Adaptation(model, defaultRecipe(10));
  const weights = async () => (await model.quantizer.parameters.weights()).map(({ data }) => data);
  const step = (value: number) => {
    using images = full(gpu, [1, TINY_SIZE, TINY_SIZE, 3], value);
    adaptation.jointStep(images)[Symbol.dispose]();
  };
  const first = await weights();
  step(0.5);
  const before = await weights();
  assert(before.some((data, i) => data.some((value, at) => value !== first[i][at])));
  step(NaN);
  step(0.5);
  assertEquals(await adaptation.fault(), { step: 2, what: "the loss l1" });
  assertEquals(await weights(), before);
});
