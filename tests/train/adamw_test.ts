import { assertThrows } from "@std/assert";
import { Parameters } from "../../src/nn/mod.ts";
import { fromArray, full, ShapeError } from "../../src/tensor/mod.ts";
import { AdamW, clipCoefficient, cosineRate, Ema } from "../../src/train/mod.ts";
import { assertClose, assertSame } from "../support/compare.ts";
import { caseCount, valueCase } from "../support/fixtures.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import { adamw, adamwState, clipByGlobalNorm, cosineRate as rate } from "../support/reference.ts";

interface Settings {
  steps: number;
  lr: number;
  betas: [number, number];
  eps: number;
  weightDecay: number;
  clip: number;
  totalSteps: number;
  gradientNorms: number[];
}

for (let index = 0; index < caseCount("adamw"); index++) {
  gpuTest(`AdamW ${index}: clipped, scheduled steps equal PyTorch's`, async (gpu) => {
    const { options, tensors } = await valueCase("adamw", index);
    const { steps, lr, clip, totalSteps, gradientNorms, ...settings } =
      options as unknown as Settings;
    const names = ["a", "b"];
    using parameters = new Parameters(gpu);
    for (const name of names) {
      const { shape, data } = tensors[`values/${name}/0`];
      parameters.declare(name, shape);
      parameters.set(name, new Float32Array(data));
    }
    using optimizer = new AdamW(parameters, settings);
    for (let step = 1; step <= steps; step++) {
      const pending = (() => {
        using _scope = gpu.scope();
        const gradients = names.map((name) => {
          const { shape, data } = tensors[`grads/${name}/${step}`];
          return fromArray(gpu, new Float32Array(data), shape);
        });
        const { norm, coefficient } = clipCoefficient(gradients, clip);
        optimizer.step(gradients, { lr: cosineRate(lr, step - 1, totalSteps), coefficient });
        return norm.item();
      })();
      assertClose([await pending], [gradientNorms[step - 1]], { relative: 1e-6, name: "norm" });
      for (const { name, data } of await parameters.weights()) {
        const expected = tensors[`values/${name}/${step}`];
        assertClose(data, expected, { relative: 1e-6, name: `${name} after step ${step}` });
      }
    }
  });
}

gpuTest("AdamW: a parameter of many workgroups follows the float64 reference", async (gpu) => {
  const random = new Random(5);
  const settings = { betas: [0.5, 0.9] as const, eps: 1e-8, weightDecay: 0.005 };
  let value = random.normal([33, 129]);
  const state = adamwState(value);
  await flat(gpu, async () => {
    using parameters = new Parameters(gpu);
    parameters.declare("weight", value.shape);
    parameters.set("weight", new Float32Array(value.data));
    using optimizer = new AdamW(parameters);
    for (let step = 0; step < 7; step++) {
      const gradient = random.normal(value.shape, 0, 10 ** (step - 3));
      const lr = rate(1e-3, step, 7);
      value = adamw(value, clipByGlobalNorm([gradient], 10)[0], state, { lr, ...settings });
      using _scope = gpu.scope();
      const given = [fromArray(gpu, new Float32Array(gradient.data), gradient.shape)];
      optimizer.step(given, { lr, coefficient: clipCoefficient(given, 10).coefficient });
    }
    const [{ data }] = await parameters.weights();
    assertClose(data, value, { relative: 1e-6 });
    const [first] = await optimizer.first.weights();
    assertClose(first.data, state.first, { relative: 1e-6 });
    const [second] = await optimizer.second.weights();
    assertClose(second.data, state.second, { relative: 1e-6 });
  });
});

gpuTest("AdamW: many parameters and their averages move as each does alone", async (gpu) => {
  const random = new Random(6);
  const sizes = [1, 7, 1023, 1024, 1025, 33, 4100, 64, 2, 3, 5, 640, 1, 2048, 9, 77];
  const values = sizes.map((size) => new Float32Array(random.normal([size]).data));
  const steps = [0, 0.5, 0.9].map((ratio) => ({
    ratio,
    gradients: sizes.map((size) => new Float32Array(random.normal([size]).data)),
  }));
  await flat(gpu, async () => {
    const apart: Float32Array[] = [];
    for (const i of sizes.keys()) apart.push(...await trained([i]));
    const together = await trained([...sizes.keys()]);
    sizes.forEach((size, i) => {
      assertSame(together[2 * i], apart[2 * i], `parameter of ${size}`);
      assertSame(together[2 * i + 1], apart[2 * i + 1], `average of ${size}`);
    });
  });

  /** Parameter and average of each index in turn. */
  async function trained(indices: readonly number[]): Promise<Float32Array[]> {
    using parameters = new Parameters(gpu);
    for (const i of indices) {
      parameters.declare(`${i}`, [sizes[i]]);
      parameters.set(`${i}`, values[i]);
    }
    using optimizer = new AdamW(parameters);
    using ema = new Ema(parameters);
    for (const { ratio, gradients } of steps) {
      using _scope = gpu.scope();
      const given = indices.map((i) => fromArray(gpu, gradients[i], [sizes[i]]));
      optimizer.step(given, { lr: 1e-2, ratio, ema, coefficient: full(gpu, [], 0.5) });
    }
    const averages = await ema.average.weights();
    const found = await parameters.weights();
    return found.flatMap(({ data }, i) => [data, averages[i].data]);
  }
});

gpuTest("AdamW: the average in passing is the average of Ema", async (gpu) => {
  using parameters = new Parameters(gpu);
  parameters.declare("weight", [130]);
  parameters.set("weight", new Float32Array(new Random(7).normal([130]).data));
  using optimizer = new AdamW(parameters);
  using passing = new Ema(parameters);
  using apart = new Ema(parameters);
  for (const ratio of [0.7, 0, 0.9999]) {
    using _scope = gpu.scope();
    const given = [full(gpu, [130], ratio - 0.5)];
    const rest = { lr: 1e-2, coefficient: full(gpu, [], 1) };
    optimizer.step(given, { ...rest, ratio, ema: passing });
    apart.update(ratio);
  }
  const [[a], [b]] = await Promise.all([passing.average.weights(), apart.average.weights()]);
  assertClose(a.data, b.data, { relative: 1e-6 });
});

gpuTest("AdamW: a missing or misshapen gradient is an error that names the parameter", (gpu) => {
  using _scope = gpu.scope();
  using parameters = new Parameters(gpu);
  parameters.declare("attn.to_q.bias", [3]);
  using optimizer = new AdamW(parameters);
  const step = { lr: 1, coefficient: full(gpu, [], 1) };
  assertThrows(() => optimizer.step([], step), ShapeError, "attn.to_q.bias [3]");
  assertThrows(() => optimizer.step([full(gpu, [4], 1)], step), ShapeError, "[4]");
});
