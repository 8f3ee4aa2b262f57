import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { defineKernel, gridFor } from "../../src/gpu/mod.ts";
import {
  empty,
  fromArray,
  gradients,
  noGrad,
  record,
  ShapeError,
  type Tensor,
  withGrad,
} from "../../src/tensor/mod.ts";
import { flat, gpuTest } from "../support/gpu.ts";

function addInto(sum: Tensor, x: Tensor): void {
  sum.gpu.run(defineKernel("accumulate"), "add", {
    bind: { x: x.storage, y: sum.storage },
    params: { size: x.size },
    grid: gridFor(Math.ceil(x.size / 4), 64),
  });
}

/** y = a + b from the accumulate kernel: the smallest operation with two inputs. */
function plus(a: Tensor, b: Tensor, saved: Tensor[] = []): Tensor {
  const y = empty(a.gpu, a.shape);
  a.gpu.copy(a.storage, y.storage);
  addInto(y, b);
  return record("plus", { inputs: [a, b], output: y, saved, backward: (dy) => [dy, dy] });
}

gpuTest("gradients add up over every path and leave no bytes behind", async (gpu) => {
  await flat(gpu, async () => {
    let result;
    {
      using _scope = gpu.scope();
      const x = fromArray(gpu, [1, 2], [2]).requireGrad();
      const c = fromArray(gpu, [5, 5], [2]);
      const two = plus(x, x);
      const y = plus(plus(two, two, [two]), plus(x, c)); // 5x + c
      const [dx] = gradients(y, [x], { seed: fromArray(gpu, [1, 10], [2]) });
      result = Promise.all([y.read(), dx.read()]);
    }
    const [y, dx] = await result;
    assertEquals([...y], [10, 15]);
    assertEquals([...dx], [5, 50]);
  });
});

gpuTest(
  "a graph is consumed unless retained, and gradients of inner tensors can be asked for",
  async (gpu) => {
    using _tensors = gpu.scope();
    const x = fromArray(gpu, [3], [1]).requireGrad();
    const inner = plus(x, x);
    const y = plus(inner, inner);
    const [first] = gradients(y, [inner], { retain: true });
    const [second] = gradients(y, [x]);
    const read = Promise.all([first.item(), second.item()]);
    assertThrows(() => gradients(y, [x]), TypeError, "consumed");
    await read.then(([a, b]) => assertEquals([a, b], [2, 4]));
  },
);

gpuTest("what was saved outlives its scope while anything leads to it", async (gpu) => {
  await flat(gpu, () => {
    using outer = gpu.scope();
    const x = fromArray(gpu, [1, 2], [2]).requireGrad();
    const before = gpu.memory.live;
    let y;
    {
      using inner = gpu.scope();
      const middle = plus(x, x);
      y = inner.keep(plus(middle, x, [middle]));
    }
    assertEquals(gpu.memory.live, before + 2 * 8); // y, and middle in the graph
    y.dispose();
    assertEquals(gpu.memory.live, before);
    outer.keep(x).dispose();
  });
});

gpuTest("a branch that no gradient passed is freed with its tensor", async (gpu) => {
  await flat(gpu, async () => {
    let pending;
    {
      using _scope = gpu.scope();
      const x = fromArray(gpu, [1, 2], [2]).requireGrad();
      const shared = plus(x, x, [x]);
      const unused = plus(shared, shared, [shared]);
      plus(unused, x, [unused]);
      const y = plus(shared, x, [shared]);
      pending = gradients(y, [x], { seed: fromArray(gpu, [1, 1], [2]) })[0].read();
    }
    assertEquals([...await pending], [3, 3]);
  });
});

gpuTest("unrelated inputs get zeros; noGrad records nothing", async (gpu) => {
  using _scope = gpu.scope();
  const x = fromArray(gpu, [1], [1]).requireGrad();
  const z = fromArray(gpu, [1, 2], [2]).requireGrad();
  const pending = gradients(plus(x, x), [z])[0].read();
  assertEquals(noGrad(() => plus(x, x)).requiresGrad, false);
  assertEquals([...await pending], [0, 0]);
});

gpuTest("wrong seeds, inputs and uses after freeing are refused", async (gpu) => {
  using scope = gpu.scope();
  const x = fromArray(gpu, [1, 2], [2]).requireGrad();
  const constant = fromArray(gpu, [1, 2], [2]);
  assertThrows(() => gradients(plus(x, x), [x]), ShapeError, "no scalar");
  assertThrows(() => gradients(plus(x, x), [x], { seed: fromArray(gpu, [1], [1]) }), ShapeError);
  assertThrows(() => gradients(plus(x, x), [constant]), TypeError, "requireGrad");
  assertThrows(() => gradients(plus(constant, constant), [x]), TypeError, "it has no graph");
  const freed = scope.keep(fromArray(gpu, [1, 2], [2]));
  freed.dispose();
  assertThrows(() => plus(x, freed), Error, 'bound to "x" was already freed');
  await assertRejects(() => freed.read(), TypeError, "already freed");
});

/** y = 2x, whose backward adds to the sum it is offered; notes whether it was. */
function twice(x: Tensor, offered: boolean[]): Tensor {
  const y = noGrad(() => plus(x, x));
  return record("twice", {
    inputs: [x],
    output: y,
    backward: (dy, _saved, _needs, [sum]) => {
      offered.push(sum !== undefined);
      const gradient = plus(dy, dy);
      if (!sum) return [gradient];
      addInto(sum, gradient);
      return [sum];
    },
  });
}

gpuTest("an operation may add to the sum of its input's gradients in place", async (gpu) => {
  const offered: boolean[] = [];
  await flat(gpu, async () => {
    const read = (() => {
      using _scope = gpu.scope();
      const x = fromArray(gpu, [1, 2], [2]).requireGrad();
      const y = plus(plus(twice(x, offered), twice(x, offered)), twice(x, offered)); // 6x
      return gradients(y, [x], { seed: fromArray(gpu, [1, 10], [2]) })[0].read();
    })();
    assertEquals([...await read], [6, 60]);
  });
  assertEquals(offered, [false, true, true]);
});

gpuTest("a sum whose bytes someone else reads is not offered", async (gpu) => {
  const offered: boolean[] = [];
  const reads = (() => {
    using _scope = gpu.scope();
    const x = fromArray(gpu, [1, 2], [2]).requireGrad();
    const seed = fromArray(gpu, [1, 10], [2]);
    // the last operation hands the seed itself to x
    const [dx] = gradients(plus(twice(x, offered), x), [x], { seed });
    return Promise.all([dx.read(), seed.read()]);
  })();
  const [dx, seed] = await reads;
  assertEquals([[...dx], [...seed]], [[3, 30], [1, 10]]);
  assertEquals(offered, [false]);
});

gpuTest("a backward may record and differentiate what it computes again", async (gpu) => {
  await flat(gpu, async () => {
    const read = (() => {
      using _scope = gpu.scope();
      const x = fromArray(gpu, [1, 2], [2]).requireGrad();
      const y = record("again", {
        inputs: [x],
        output: noGrad(() => plus(plus(x, x), x)),
        backward: (dy) => {
          const leaf = fromArray(gpu, [1, 2], [2]).requireGrad();
          return gradients(withGrad(() => plus(plus(leaf, leaf), leaf)), [leaf], { seed: dy });
        },
      });
      return gradients(plus(y, x), [x], { seed: fromArray(gpu, [1, 10], [2]) })[0].read();
    })();
    assertEquals([...await read], [4, 40]);
  });
});
