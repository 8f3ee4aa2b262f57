import { assertEquals, assertThrows } from "@std/assert";
import { Conv2d, fuseLora, injectLora, normalWith, Parameters } from "../../src/nn/mod.ts";
import { gradients, normal, Random, type Tensor } from "../../src/tensor/mod.ts";
import { assertClose } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import type { Gpu } from "../../src/gpu/mod.ts";

/** A stride-2 convolution 5 → 8 with an adapter whose `up` is not zero. */
function adapted(gpu: Gpu, rank: number) {
  const parameters = new Parameters(gpu);
  const config = { kernel: 3, stride: 2, padding: { top: 0, left: 0, bottom: 1, right: 1 } };
  const conv = new Conv2d(parameters.at("level.conv1"), 5, 8, config);
  parameters.initialize(new Random(1));
  const lora = injectLora([conv], { rank, targets: ["conv1"] });
  const random = new Random(2);
  for (const { name, shape } of lora.parameters) {
    lora.parameters.set(name, normalWith(0.3)(random, shape));
  }
  return { parameters, conv, lora };
}

async function outputAndGradients(conv: Conv2d, x: Tensor, tensors: Tensor[]) {
  tensors.forEach((tensor) => tensor.requireGrad());
  const pending = (() => {
    using _scope = x.gpu.scope();
    const y = conv.forward(x);
    const seed = normal(x.gpu, y.shape, new Random(4));
    return [y.readF32(), ...gradients(y, tensors, { seed }).map((dw) => dw.readF32())];
  })();
  return await Promise.all(pending);
}

// With 8 channels out, rank 2 runs beside the convolution (8 ≥ 3·2) and rank 3 is fused into it.
for (const rank of [2, 3]) {
  gpuTest(`rank ${rank}: adapter and fused weight give the same output`, async (gpu) => {
    await flat(gpu, async () => {
      const { parameters, conv, lora } = adapted(gpu, rank);
      using x = normal(gpu, [2, 7, 6, 5], new Random(3));
      const { down, up } = conv.lora!;
      const [before, dDown, dUp] = await outputAndGradients(conv, x, [down, up]);
      assertEquals([dDown.length, dUp.length], [down.size, up.size]);
      fuseLora([conv]);
      const [after] = await outputAndGradients(conv, x, [conv.weight]);
      assertClose(after, before, { relative: 1e-6 });
      parameters[Symbol.dispose]();
      lora.parameters[Symbol.dispose]();
    });
  });
}

gpuTest("both ways of adapting have the same gradients", async (gpu) => {
  const results: Float32Array[][] = [];
  for (const rank of [2, 3]) {
    const { parameters, conv, lora } = adapted(gpu, rank);
    if (rank === 3) { // the third direction is empty, so the two adapters are one
      const two = adapted(gpu, 2);
      const widen = async (name: string, rows: number) => {
        const [weights] = (await two.lora.parameters.weights()).filter((w) =>
          w.name.includes(name)
        );
        const wide = new Float32Array(weights.data.length / 2 * 3);
        for (let row = 0; row < rows; row++) {
          const width = weights.data.length / rows;
          wide.set(
            weights.data.subarray(row * width, (row + 1) * width),
            row * (rows === 2 ? width : 3),
          );
        }
        return { name: weights.name, wide };
      };
      for (const { name, wide } of [await widen(".down.", 2), await widen(".up.", 8)]) {
        lora.parameters.set(name, wide);
      }
      [two.parameters, two.lora.parameters].forEach((set) => set[Symbol.dispose]());
    }
    using x = normal(gpu, [2, 7, 6, 5], new Random(3));
    const { down, up } = conv.lora!;
    const [y, dDown, dUp] = await outputAndGradients(conv, x, [down, up]);
    results.push([y, dDown.filter((_, i) => i % rank < 2), dUp.subarray(0, 2 * 8)]);
    [parameters, lora.parameters].forEach((set) => set[Symbol.dispose]());
  }
  results[0].forEach((values, i) => assertClose(results[1][i], values, { relative: 1e-5 }));
});

gpuTest("an untrained adapter changes nothing; only named convolutions get one", async (gpu) => {
  using parameters = new Parameters(gpu);
  const config = { kernel: 1, stride: 1, padding: 0 };
  const [first, second] = ["conv1", "conv_out"].map((name) =>
    new Conv2d(parameters.at(name), 3, 3, config)
  );
  parameters.initialize(new Random(1));
  using x = normal(gpu, [1, 2, 2, 3], new Random(2));
  const [before] = await outputAndGradients(first, x, [first.weight]);
  using adapters = injectLora([first, second], { rank: 2, targets: ["conv1"] }).parameters;
  adapters.initialize(new Random(3));
  assertEquals([...adapters].map(({ name }) => name), [
    "conv1.lora_layer.down.weight",
    "conv1.lora_layer.up.weight",
  ]);
  assertEquals(second.lora, undefined);
  const [after] = await outputAndGradients(first, x, [first.weight]);
  assertClose(after, before, { relative: 1e-7 });
  assertThrows(
    () => injectLora([first], { rank: 2, targets: ["attn"] }),
    RangeError,
    "contains attn",
  );
  assertThrows(() => injectLora([first], { rank: 0, targets: ["conv1"] }), RangeError, "rank 0");
});
