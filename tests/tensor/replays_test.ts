import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Gpu, GpuError } from "../../src/gpu/mod.ts";
import {
  add,
  affine,
  cast,
  conv2d,
  matmul,
  mean,
  mul,
  square,
  sub,
  sum,
} from "../../src/ops/mod.ts";
import {
  constants,
  fromArray,
  full,
  gradients,
  Replays,
  type Tensor,
  withHalfActivations,
  zeros,
} from "../../src/tensor/mod.ts";
import { flat, gpuTest } from "../support/gpu.ts";

/** A line through points by gradient descent: the loss of a step, and the slope after it. */
function descent(slope: Tensor) {
  return ([x, y, rate]: readonly Tensor[]): Tensor[] => {
    const loss = mean(square(sub(mul(x, slope), y)));
    const [gradient] = gradients(loss, [slope]);
    const next = sub(slope, mul(gradient, rate));
    slope.gpu.copy(next.storage, slope.storage);
    return [loss, next];
  };
}

/** What reads the tensors that work makes, which are freed at once. */
function reads(gpu: Gpu, work: () => readonly Tensor[]): Promise<Float32Array[]> {
  using _scope = gpu.scope();
  return Promise.all(work().map((tensor) => tensor.readF32()));
}

/** Inputs of a step, which belong to the current scope. */
function pointsOf(gpu: Gpu, step: number): Tensor[] {
  const x = [1, 2, 3].map((value) => value + step / 7);
  const y = x.map((value) => 5 * value);
  return [
    fromArray(gpu, x, [3]),
    fromArray(gpu, y, [3]),
    fromArray(gpu, [0.05 / (1 + step)], [1]),
  ];
}

gpuTest("Replays: gives what the work gives, with a leaf that it changes", async (gpu) => {
  await flat(gpu, async () => {
    const slopes = [0, 1].map(() => zeros(gpu, [1]).requireGrad());
    const [plain, recorded] = slopes;
    let calls = 0;
    const work = (inputs: readonly Tensor[]) => {
      calls++;
      return descent(recorded)(inputs);
    };
    using replays = new Replays(gpu);
    for (let step = 0; step < 5; step++) {
      const expected = await reads(gpu, () => descent(plain)(pointsOf(gpu, step)));
      const found = await reads(gpu, () => replays.run("descent", pointsOf(gpu, step), work));
      assertEquals(found, expected, `step ${step}`);
    }
    assertEquals([calls, await recorded.item()], [1, await plain.item()]);
    for (const slope of slopes) slope.dispose();
  });
});

gpuTest("Replays: records once for each name and each combination of shapes", async (gpu) => {
  await flat(gpu, async () => {
    using replays = new Replays(gpu);
    const calls: string[] = [];
    const run = async (name: string, shape: number[], factor: number, value: number) => {
      const [y] = await reads(gpu, () =>
        replays.run(name, [full(gpu, shape, value)], ([x]) => {
          calls.push(`${name} ${x.shape}`);
          return [affine(x, factor, 0)];
        }));
      return y.at(-1);
    };
    assertEquals(await run("twice", [3], 2, 1), 2);
    assertEquals(await run("twice", [2, 3], 2, 5), 10);
    assertEquals(await run("thrice", [3], 3, 5), 15);
    for (let value = 0; value < 3; value++) {
      assertEquals(await run("twice", [3], 2, value), 2 * value);
      assertEquals(await run("thrice", [3], 3, value), 3 * value);
      assertEquals(await run("twice", [2, 3], 2, value), 2 * value);
    }
    assertEquals(calls, ["twice 3", "twice 2,3", "thrice 3"]);
  });
});

gpuTest("Replays: outputs are the caller's own, whatever they were", async (gpu) => {
  await flat(gpu, async () => {
    using replays = new Replays(gpu);
    using weight = full(gpu, [2], 7);
    const results: Tensor[][] = [];
    for (const value of [1, 2, 3]) {
      using x = full(gpu, [2], value);
      results.push(replays.run("all", [x], ([x]) => {
        const y = add(x, weight);
        return [x, weight, y, y];
      }));
    }
    weight.write(new Float32Array([0, 0]));
    for (const [i, outputs] of results.entries()) {
      const values = await Promise.all(outputs.map(async (y) => (await y.readF32())[1]));
      assertEquals(values, [i + 1, 7, i + 8, i + 8]);
      for (const output of outputs) output.dispose();
    }
  });
});

gpuTest("Replays: bytes are flat over 200 replays, and all are given back", async (gpu) => {
  gpu.trim();
  const before = gpu.memory;
  {
    using replays = new Replays(gpu);
    using x = full(gpu, [40, 50], 1);
    using weight = full(gpu, [50, 60], 1).requireGrad();
    const step = () => {
      const outputs = replays.run("gradient", [x], ([x]) => {
        const loss = mean(square(matmul(x, weight)));
        return [loss, ...gradients(loss, [weight])];
      });
      for (const output of outputs) output.dispose();
    };
    const { live } = gpu.memory;
    step();
    const after = gpu.memory;
    assertEquals(after.live, live);
    assert(after.recorded >= 4 * 40 * 60 && after.recorded <= after.pooled);
    for (let i = 0; i < 200; i++) step();
    assertEquals(gpu.memory, after);
    await gpu.sync();
  }
  assertEquals([gpu.memory.live, gpu.memory.recorded], [before.live, before.recorded]);
  gpu.trim();
  assertEquals(gpu.memory.reserved, before.reserved);
});

gpuTest("Replays: what was forgotten or moved is recorded again", async (gpu) => {
  await flat(gpu, async () => {
    using replays = new Replays(gpu);
    using weight = full(gpu, [2], 3);
    using x = full(gpu, [2], 2);
    let calls = 0;
    const run = async () => {
      const [y] = replays.run("product", [x], ([x]) => {
        calls++;
        return [mul(x, weight)];
      });
      using _y = y;
      return [calls, (await y.readF32())[0]];
    };
    assertEquals([await run(), await run()], [[1, 6], [1, 6]]);
    gpu.trim();
    assertEquals([await run(), await run()], [[2, 6], [2, 6]]);
    gpu.join([weight.storage], 256);
    weight.write(new Float32Array([4, 4]));
    assertEquals([await run(), await run()], [[3, 8], [3, 8]]);
    replays[Symbol.dispose]();
    assertEquals(await run(), [4, 8]);
  });
});

gpuTest("Replays: an upload or a read within is an error that says what to do", async (gpu) => {
  await flat(gpu, async () => {
    using replays = new Replays(gpu);
    using x = full(gpu, [2], 1);
    const uploads = ([x]: readonly Tensor[]) => [mul(x, fromArray(gpu, [1, 2], [2]))];
    const text = "make what changes from call to call an input of it";
    for (let i = 0; i < 2; i++) {
      assertThrows(() => replays.run("uploads", [x], uploads), GpuError, text);
    }
    let read: Promise<unknown> | undefined;
    const reads = ([x]: readonly Tensor[]) => {
      read = assertRejects(() => x.readF32(), GpuError, "read what the work returns");
      return [x];
    };
    assertThrows(() => replays.run("reads", [x], reads), GpuError, "read what the work returns");
    await read;
    using y = replays.run("uploads", [x], ([x]) => [affine(x, 2, 0)])[0];
    assertEquals((await y.readF32())[0], 2);
  });
});

gpuTest("Replays: constants are made once, and kept from what else is made", async (gpu) => {
  await flat(gpu, async () => {
    using replays = new Replays(gpu);
    let calls = 0;
    const work = ([x]: readonly Tensor[]) => {
      calls++;
      affine(x, 100, 0).dispose(); // leaves a buffer that would fit
      const y = mul(x, constants(gpu, [1, 2, 3], [3]));
      return [add(y, affine(x, 10, 0))];
    };
    const run = async (value: number) => {
      const read = reads(gpu, () => replays.run("work", [full(gpu, [3], value)], work));
      for (let i = 0; i < 9; i++) full(gpu, [3], 7).dispose();
      return [...(await read)[0]];
    };
    assertEquals([await run(1), await run(2), await run(3)], [
      [11, 12, 13],
      [22, 24, 26],
      [33, 36, 39],
    ]);
    assertEquals(calls, 1);
    assertThrows(() => constants(gpu, [1, 2], [3]), TypeError, "2 values do not fill");
  });
});

gpuTest("Replays: an input wants no gradient", (gpu) => {
  using replays = new Replays(gpu);
  using x = full(gpu, [2], 1).requireGrad();
  assertThrows(
    () => replays.run("square", [x], ([x]) => [square(x)]),
    TypeError,
    "input 0 wants a gradient",
  );
});

gpuTest("Replays: within recorded work the work is a part of that", async (gpu) => {
  await flat(gpu, async () => {
    using inner = new Replays(gpu);
    using outer = new Replays(gpu);
    const calls = [0, 0];
    const run = async (value: number) => {
      const [y] = await reads(gpu, () =>
        outer.run("outer", [full(gpu, [2], value)], ([x]) => {
          calls[0]++;
          const [twice] = inner.run("inner", [x], ([x]) => {
            calls[1]++;
            return [affine(x, 2, 0)];
          });
          return [square(twice)];
        }));
      return y[0];
    };
    assertEquals([await run(1), await run(2), await run(3)], [4, 16, 36]);
    assertEquals(calls, [1, 1]);
  });
});

gpuTest("Replays: work can be measured", (gpu) => {
  using replays = new Replays(gpu);
  using x = full(gpu, [30, 40], 1);
  const work = ([x]: readonly Tensor[]) => [matmul(square(x), x, { transposeB: true })];
  const measured = gpu.measure(() => void work([x]));
  assertEquals(gpu.measure(() => void replays.run("work", [x], work)), measured);
  replays.run("work", [x], work)[0].dispose();
  assertEquals(gpu.measure(() => void replays.run("work", [x], work)), measured);
});

gpuTest("Replays: outputs in f16 are measured as what they are", (gpu) => {
  if (!gpu.hasHalf) return;
  using replays = new Replays(gpu);
  using x = full(gpu, [300, 40], 1);
  const bytes = (dtype: "f32" | "f16") =>
    gpu.measure(() => {
      const [y] = replays.run(dtype, [x], ([x]) => [cast(x, dtype)]);
      y.dispose();
      cast(replays.run(dtype, [x], ([x]) => [cast(x, dtype)])[0], "f32");
    }, { room: 1 });
  assert(bytes("f16") < bytes("f32"));
});

gpuTest("Replays: outputs for which a recording has to make room are recorded anew", async () => {
  const size = 2 ** 20;
  using gpu = await Gpu.create({ memoryBytes: 30 * size });
  using replays = new Replays(gpu);
  const x = full(gpu, [size], 2);
  const run = () => replays.run("work", [x], ([x]) => [add(square(x), x)])[0];
  const outputs = [run(), full(gpu, [2 * size], 0), run()]; // the last finds room in the recording alone
  assertEquals((await outputs[2].readF32())[0], 6);
  assertEquals((await outputs[0].readF32())[0], 6);
});

gpuTest(
  "replays: constants for which work under way has to make room leave nothing behind",
  async () => {
    const size = 2 ** 20;
    using gpu = await Gpu.create({ memoryBytes: 64 * size });
    {
      using _kept = full(gpu, [9 * size], 1);
      using x = full(gpu, [size], 2);
      using replays = new Replays(gpu);
      using _scope = gpu.scope();
      const [y] = replays.run("work", [x], ([x]) => {
        const sum = add(add(x, x), x);
        constants(gpu, new Float32Array(4 * size), [4 * size]);
        return [add(sum, x)];
      });
      assertEquals((await y.readF32())[0], 8);
    }
    gpu.trim();
    assertEquals(gpu.memory.reserved, 0);
  },
);

gpuTest(
  "replays: an f16 copy made before a recording does not outlive a write of its tensor",
  async (gpu) => {
    if (!gpu.hasHalf) return;
    using _scope = gpu.scope();
    const x = full(gpu, [1, 8, 8, 4], 1);
    const weight = full(gpu, [3, 3, 4, 4], 1).requireGrad();
    const forward = () => withHalfActivations(() => conv2d(x, weight));
    const step = () => gradients(sum(forward()), [weight]);
    using replays = new Replays(gpu);
    {
      using _graph = gpu.scope();
      forward(); // holds a copy of x
      replays.run("step", [], step);
    }
    x.write(new Float32Array(x.size).fill(5));
    const [replayed] = replays.run("step", [], step);
    const [direct] = step();
    assertEquals((await direct.readF32())[0], 5 * 36);
    assertEquals(await replayed.readF32(), await direct.readF32());
  },
);

gpuTest("replay: inputs of other sizes than those recorded are refused", (gpu) => {
  using _scope = gpu.scope();
  const [eight, four] = [full(gpu, [8], 1), full(gpu, [4], 1)];
  using recording = gpu.record([eight.storage], ([x]) => [x]).recording;
  assertThrows(() => gpu.replay(recording, [four.storage]), TypeError, "[32] bytes, found [16]");
});
