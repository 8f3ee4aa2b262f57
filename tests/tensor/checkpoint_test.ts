import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Gpu } from "../../src/gpu/mod.ts";
import { add, exp, matmul, mul, square, stopGradient, sum } from "../../src/ops/mod.ts";
import {
  checkpoint,
  fromArray,
  gradients,
  noGrad,
  Replays,
  ShapeError,
  type Tensor,
} from "../../src/tensor/mod.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";

/** How work is done: as it is, or checkpointed. */
type Way = typeof checkpoint;
const plainly: Way = (work, inputs) => work(inputs);

/** Numbers whose sums hang on the order of adding. */
function wide(gpu: Gpu, shape: number[], seed: number): Tensor {
  const { data } = new Random(seed).normal(shape);
  return fromArray(gpu, new Float32Array(data.map((value) => value ** 3)), shape);
}

/** What `make` gives, read once it is freed; no byte stays live. */
async function values(gpu: Gpu, make: () => readonly Tensor[]): Promise<Float32Array[]> {
  return await flat(gpu, async () => {
    const reads = (() => {
      using _scope = gpu.scope();
      return Promise.all(make().map((tensor) => tensor.readF32()));
    })();
    return await reads;
  });
}

/** Asserts that checkpointed work gives the bits that it gives without. */
async function assertSameBits(gpu: Gpu, make: (way: Way) => readonly Tensor[]): Promise<void> {
  const found = await values(gpu, () => make(checkpoint));
  assertEquals(found, await values(gpu, () => make(plainly)));
  assert(found.every((each) => each.some((value) => value !== 0)), "all zeros prove nothing");
}

gpuTest("checkpoint: bits are the same where inside and outside use the same", async (gpu) => {
  await assertSameBits(gpu, (way) => {
    const [x, w, v] = [1, 2, 3].map((seed) => wide(gpu, [7, 7], seed).requireGrad());
    const before = matmul(x, w);
    const block = ([h]: readonly Tensor[]) => add(matmul(square(matmul(h, w)), w), mul(h, v));
    const first = way(block, [before]);
    const second = way(block, [add(first, before)]);
    const y = sum(add(matmul(add(second, before), w), mul(first, x)));
    return [y, ...gradients(y, [x, w, v, first, before])];
  });
});

gpuTest("checkpoint: a pass that keeps the graph can be followed by others", async (gpu) => {
  await assertSameBits(gpu, (way) => {
    const [x, w, v] = [1, 2, 3].map((seed) => wide(gpu, [3, 5], seed).requireGrad());
    const y = sum(mul(way(([x]) => mul(square(mul(x, w)), x), [x]), v));
    const [dw] = gradients(y, [w], { retain: true });
    const [dv] = gradients(y, [v], { retain: true });
    return [dw, dv, ...gradients(y, [x, w])];
  });
});

gpuTest("checkpoint: work within work", async (gpu) => {
  await assertSameBits(gpu, (way) => {
    const [x, w] = [1, 2].map((seed) => wide(gpu, [4, 4], seed).requireGrad());
    const inner = ([x]: readonly Tensor[]) => square(matmul(x, w));
    const outer = ([x]: readonly Tensor[]) => add(way(inner, [way(inner, [x])]), mul(x, w));
    return gradients(sum(way(outer, [mul(x, w)])), [x, w]);
  });
});

gpuTest("checkpoint: gradients of what it uses and takes are those of the function", async () => {
  const draw = (seed: number) => new Random(seed).uniform([3, 4], -1, 1);
  await gradcheck({
    name: "checkpoint",
    inputs: [draw(1), draw(2)],
    op: ([x, w]) => checkpoint(([x]) => mul(exp(mul(x, w)), w), [x]),
    reference: ([x, w]) => reference.mul(reference.exp(reference.mul(x, w)), w),
  });
});

gpuTest("checkpoint: inputs are held, and freed when backward has passed", async (gpu) => {
  const bytes = 4 * 1000;
  await values(gpu, () => {
    using scope = gpu.scope();
    const x = wide(gpu, [1000], 1).requireGrad();
    const before = gpu.memory.live;
    const y = (() => {
      using inner = gpu.scope();
      const middle = exp(x);
      return inner.keep(checkpoint(([h]) => square(square(square(h))), [middle]));
    })();
    assertEquals(gpu.memory.live, before + 2 * bytes); // y, and exp(x) once for both who save it
    const dx = gradients(sum(y), [x])[0];
    assertEquals(gpu.memory.live, before + 2 * bytes + 4); // y and dx, and the sum
    return [scope.keep(dx)];
  });
});

gpuTest("checkpoint: a chain takes a layer's memory instead of all layers'", (gpu) => {
  const peak = (way: Way) =>
    gpu.measure(() => {
      const x = fromArray(gpu, new Float32Array(4096), [4096]).requireGrad();
      let h = x;
      for (let layer = 0; layer < 8; layer++) {
        const before = h;
        h = way(([h]) => square(square(square(square(h)))), [before]);
        if (before !== x) before.dispose();
      }
      gradients(sum(h), [x]);
    });
  const map = 4 * 4096;
  assert(peak(plainly) >= 32 * map);
  assert(peak(checkpoint) <= 16 * map, `${peak(checkpoint) / map} maps`);
});

gpuTest("checkpoint: is recorded and replayed", async (gpu) => {
  await flat(gpu, async () => {
    using w = wide(gpu, [5, 5], 2).requireGrad();
    using replays = new Replays(gpu);
    let calls = 0;
    const work = (way: Way) => ([x]: readonly Tensor[]) => {
      const y = way(([h]) => {
        calls++;
        return square(matmul(h, w));
      }, [matmul(x, w)]);
      return gradients(sum(y), [w]);
    };
    for (const seed of [3, 4, 5]) {
      const input = () => [wide(gpu, [5, 5], seed)];
      const found = await values(gpu, () => replays.run("w", input(), work(checkpoint)));
      assertEquals(calls, 2);
      assertEquals(found, await values(gpu, () => work(plainly)(input())));
      calls = 2;
    }
  });
});

gpuTest("checkpoint: without gradients the work is just done", async (gpu) => {
  await values(gpu, () => {
    const x = wide(gpu, [3], 1).requireGrad();
    let calls = 0;
    const work = ([x]: readonly Tensor[]) => {
      calls++;
      return stopGradient(x);
    };
    assertEquals(noGrad(() => checkpoint(([x]) => square(x), [x])).requiresGrad, false);
    const y = checkpoint(work, [x]);
    assertEquals([y.requiresGrad, calls], [false, 1]);
    assertEquals(checkpoint(([x]) => x, [x]), x);
    return [y];
  });
});

gpuTest("checkpoint: work that does another thing the second time is refused", async (gpu) => {
  await flat(gpu, () => {
    using _scope = gpu.scope();
    const x = wide(gpu, [3], 1).requireGrad();
    const second = (then: (x: Tensor) => Tensor) => {
      let isFirst = true;
      const y = checkpoint(([x]) => {
        if (!isFirst) return then(x);
        isFirst = false;
        return square(x);
      }, [x]);
      return () => gradients(sum(y), [x]);
    };
    assertThrows(second(sum), ShapeError, "done again, the work gave [], before [3]");
    assertThrows(second(stopGradient), TypeError, "wants no gradient");
  });
});
