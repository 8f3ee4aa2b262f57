import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { CheckpointError, encodeSafetensors, SafetensorsFile } from "../../src/checkpoint/mod.ts";
import { constant, Conv2d, Linear, Parameters } from "../../src/nn/mod.ts";
import { Random } from "../../src/tensor/mod.ts";
import { flat, gpuTest } from "../support/gpu.ts";

/** A convolution's weight with a different number in every place, [out, in, height, width]. */
const SHAPE = [3, 2, 3, 1];
const NUMBERS = Float32Array.from({ length: 18 }, (_, i) => i);

gpuTest(
  "weights lie out-channels-last on the GPU and come back in the file's layout",
  async (gpu) => {
    await flat(gpu, async () => {
      using parameters = new Parameters(gpu);
      const tensor = parameters.at("conv").declare("weight", SHAPE, { layout: "conv2d" });
      parameters.set("conv.weight", NUMBERS);
      assertEquals(tensor.shape, [3, 1, 2, 3]);
      const onGpu = await tensor.readF32();
      // element [h=1, w=0, in=1, out=2] is the file's [2, 1, 1, 0]
      assertEquals(onGpu[1 * 6 + 1 * 3 + 2], NUMBERS[2 * 6 + 1 * 3 + 1]);
      const [{ name, shape, data }] = await parameters.weights();
      assertEquals([name, shape, data], ["conv.weight", SHAPE, NUMBERS]);
    });
  },
);

gpuTest("load names the file and the tensor that is missing or misshapen", async (gpu) => {
  using parameters = new Parameters(gpu);
  parameters.declare("weight", [2, 2]);
  const load = async (shape: number[], name = "weight") => {
    const data = new Float32Array(shape.reduce((a, b) => a * b));
    const bytes = encodeSafetensors([{ name, shape, data }]);
    using file = SafetensorsFile.fromBytes(bytes, "some.safetensors");
    await parameters.load(file);
  };
  await load([2, 2]);
  await assertRejects(
    () => load([4]),
    CheckpointError,
    'some.safetensors: tensor "weight" has shape [4]',
  );
  await assertRejects(() => load([2, 2], "other"), CheckpointError, 'tensor "weight" is missing');
});

gpuTest("first values follow PyTorch's defaults and the seed", async (gpu) => {
  using parameters = new Parameters(gpu);
  new Linear(parameters.at("linear"), 25, 40);
  new Conv2d(parameters.at("conv"), 4, 8, { kernel: 5, stride: 1, padding: 2 });
  parameters.at("norm").declare("weight", [3], { initialize: constant(1) });
  parameters.initialize(new Random(5));
  const values = new Map((await parameters.weights()).map(({ name, data }) => [name, data]));
  const largest = (name: string) => Math.max(...values.get(name)!.map(Math.abs));
  for (
    const [name, bound] of [["linear.weight", 1 / 5], ["linear.bias", 1 / 5], [
      "conv.weight",
      1 / 10,
    ]]
  ) {
    const found = largest(String(name));
    assertEquals(found <= Number(bound) && found > 0.8 * Number(bound), true, `${name}: ${found}`);
  }
  assertEquals(values.get("norm.weight"), new Float32Array([1, 1, 1]));
  parameters.initialize(new Random(5));
  assertEquals((await parameters.weights())[0].data, values.get("linear.weight"));
});

gpuTest("a name is declared once, and a value without a rule is not invented", (gpu) => {
  using parameters = new Parameters(gpu);
  parameters.declare("weight", [1]);
  assertThrows(() => parameters.declare("weight", [1]), TypeError, "declared twice");
  assertThrows(() => parameters.initialize(new Random(1)), TypeError, "weight has no first values");
  assertThrows(() => parameters.set("other", new Float32Array(1)), TypeError, "no parameter other");
  assertThrows(() => parameters.set("weight", new Float32Array(2)), TypeError, "2 values for [1]");
});

gpuTest("pages hold the parameters in order, each at a block's beginning", async (gpu) => {
  await flat(gpu, async () => {
    using parameters = new Parameters(gpu);
    const sizes = [3, 1024, 1025];
    sizes.forEach((size, i) => {
      parameters.at("layer").declare(`${i}`, [size], { initialize: constant(i + 1) });
    });
    parameters.initialize(new Random(0));
    const [page, ...rest] = parameters.pages();
    assertEquals([page.size, rest.length], [4096, 0]);
    assertEquals(parameters.at("layer").pages()[0], page);
    const expected = new Float32Array(4096);
    expected.fill(1, 0, 3).fill(2, 1024, 2048).fill(3, 2048, 2048 + 1025);
    assertEquals(new Float32Array(await gpu.read(page.storage)), expected);
    const late = () => parameters.declare("late", [1]);
    assertThrows(late, TypeError, "parameter late comes after the pages were laid");
  });
});
