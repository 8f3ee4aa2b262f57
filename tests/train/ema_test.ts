import { Parameters } from "../../src/nn/mod.ts";
import { Ema } from "../../src/train/mod.ts";
import { assertClose, assertSame } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";

gpuTest("Ema: begins as a copy, mixes, and copies again at ratio 0", async (gpu) => {
  const random = new Random(3);
  const values = Array.from({ length: 3 }, () => new Float32Array(random.normal([133]).data));
  await flat(gpu, async () => {
    using parameters = new Parameters(gpu);
    parameters.declare("weight", [133]);
    parameters.set("weight", values[0]);
    using ema = new Ema(parameters);
    const average = async () => (await ema.average.weights())[0].data;
    assertSame(await average(), values[0]);
    parameters.set("weight", values[1]);
    ema.update(0.9);
    const mixed = Float64Array.from(values[0], (value, i) => 0.9 * value + 0.1 * values[1][i]);
    assertClose(await average(), mixed, { relative: 1e-6 });
    parameters.set("weight", values[2]);
    ema.update(0);
    assertSame(await average(), values[2]);
  });
});

gpuTest(
  "Ema: the averages carry the names, shapes and layouts of their parameters",
  async (gpu) => {
    using parameters = new Parameters(gpu);
    parameters.declare("conv.weight", [2, 3, 1, 1], { layout: "conv2d" });
    parameters.set("conv.weight", new Float32Array([1, 2, 3, 4, 5, 6]));
    using ema = new Ema(parameters);
    const [{ name, shape, data }] = await ema.average.weights();
    assertSame(data, [1, 2, 3, 4, 5, 6], `${name} [${shape}]`);
  },
);
