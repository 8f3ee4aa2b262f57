import { assertEquals } from "@std/assert";
import { add, affine, mul, sum } from "../../src/ops/mod.ts";
import { fromArray, gradients, noGrad, recordParts, type Tensor } from "../../src/tensor/mod.ts";
import { flat, gpuTest } from "../support/gpu.ts";

/** 2x and 3x of x as one operation; notes which gradients its backward was given. */
function twoAndThree(x: Tensor, reached: boolean[][] = [], saved: Tensor[] = []): [Tensor, Tensor] {
  const outputs = noGrad((): [Tensor, Tensor] => [affine(x, 2, 0), affine(x, 3, 0)]);
  recordParts("twoAndThree", {
    inputs: [x],
    outputs,
    saved,
    backward: ([two, three]) => {
      reached.push([two !== undefined, three !== undefined]);
      const parts = [two && affine(two, 2, 0), three && affine(three, 3, 0)].filter((dy) => !!dy);
      return [parts.reduce((total, part) => add(total, part))];
    },
  });
  return outputs;
}

gpuTest(
  "one backward receives the gradients of all outputs, each the sum over its uses",
  async (gpu) => {
    const reached: boolean[][] = [];
    await flat(gpu, async () => {
      const read = (() => {
        using _scope = gpu.scope();
        const x = fromArray(gpu, [1, 2], [2]).requireGrad();
        const [two, three] = twoAndThree(x, reached);
        const y = add(sum(mul(two, three)), add(sum(two), sum(two))); // 6x² + 4x
        return gradients(y, [x])[0].readF32();
      })();
      assertEquals([...await read], [16, 28]);
    });
    assertEquals(reached, [[true, true]]);
  },
);

gpuTest("an output that no gradient reaches is undefined", async (gpu) => {
  const reached: boolean[][] = [];
  const read = (() => {
    using _scope = gpu.scope();
    const x = fromArray(gpu, [1, 2], [2]).requireGrad();
    const [, three] = twoAndThree(x, reached);
    return gradients(sum(three), [x])[0].readF32();
  })();
  assertEquals([...await read], [3, 3]);
  assertEquals(reached, [[false, true]]);
});

gpuTest(
  "the gradient of one of several outputs can be asked for, and the graph kept",
  async (gpu) => {
    await flat(gpu, async () => {
      const reads = (() => {
        using _scope = gpu.scope();
        const x = fromArray(gpu, [1, 2], [2]).requireGrad();
        const [two, three] = twoAndThree(x);
        const y = sum(mul(two, three));
        const [first] = gradients(y, [two], { retain: true });
        const [second] = gradients(y, [x]);
        return [first.readF32(), second.readF32()];
      })();
      const [first, second] = await Promise.all(reads);
      assertEquals([...first], [3, 6]);
      assertEquals([...second], [12, 24]);
    });
  },
);

gpuTest("what several outputs share is kept until the last of them is gone", async (gpu) => {
  await flat(gpu, () => {
    using outer = gpu.scope();
    const x = fromArray(gpu, [1, 2], [2]).requireGrad();
    const before = gpu.memory.live;
    let outputs: [Tensor, Tensor];
    {
      using inner = gpu.scope();
      outputs = twoAndThree(x, [], [fromArray(gpu, [5], [1])]);
      outputs.forEach((output) => inner.keep(output));
    }
    outputs[0].dispose();
    assertEquals(gpu.memory.live, before + 8 + 4);
    outputs[1].dispose();
    assertEquals(gpu.memory.live, before);
    outer.keep(x).dispose();
  });
});
