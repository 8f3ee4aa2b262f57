import { assert, assertEquals, assertThrows } from "@std/assert";
import { Gpu, OutOfMemoryError } from "../../src/gpu/mod.ts";
import { matmul, softmax, square, sum } from "../../src/ops/mod.ts";
import { empty, full, Replays, zeros } from "../../src/tensor/mod.ts";
import { flat, gpuTest } from "../support/gpu.ts";

gpuTest("what is measured is what the work takes", async () => {
  using gpu = await Gpu.create({ poolBytes: 0 });
  using weight = full(gpu, [33, 65], 0.5);
  const work = () => {
    using scope = gpu.scope();
    const x = zeros(gpu, [1000, 33]); // no multiple of 4: the product copies it
    return scope.keep(softmax(matmul(x, weight)));
  };
  const before = gpu.memory;
  const measured = gpu.measure(() => void work());
  assertEquals(gpu.memory, before);
  work().dispose();
  assertEquals(gpu.memory.reservedPeak - before.reserved, measured);
  assert(measured > 2 * 1000 * 65 * 4, `${measured}`);
});

gpuTest("what a recording takes is measured", async () => {
  using gpu = await Gpu.create();
  using x = full(gpu, [1000, 33], 0.5);
  using weight = full(gpu, [33, 65], 0.5);
  using replays = new Replays(gpu, { room: 2 });
  const run = () => {
    using scope = gpu.scope();
    const [y] = replays.run("y", [x], ([x]) => {
      const wide = softmax(matmul(x, weight)); // more than twice as large as what follows
      return [sum(square(matmul(square(matmul(wide, weight, { transposeB: true })), weight)))];
    });
    return scope.keep(y);
  };
  const before = gpu.memory;
  const measured = gpu.measure(() => void run(), { room: 2 });
  assert(measured > gpu.measure(() => void run()), "what it frees is kept");
  assertEquals(gpu.memory, before);
  using _y = run();
  assertEquals(gpu.memory.reserved - before.reserved, measured);
});

gpuTest("a measurement that finds no end leaves the device as it was", async (gpu) => {
  await flat(gpu, async () => {
    assertEquals(gpu.measure(() => void empty(gpu, [2 ** 40])), Infinity);
    assertThrows(() => gpu.measure(() => void matmul(empty(gpu, [1]), empty(gpu, [1]))), TypeError);
    using x = full(gpu, [3], 2);
    assertEquals(await x.readF32(), new Float32Array([2, 2, 2]));
  });
});

gpuTest("freed buffers make room before the device takes more than it may", async () => {
  using gpu = await Gpu.create({ memoryBytes: 10_240 });
  for (const size of [1024, 512, 768]) empty(gpu, [size]).dispose();
  assertEquals(gpu.memory.reserved, 4 * (1024 + 512 + 768));
  using _x = empty(gpu, [512]); // waits already
  using _y = empty(gpu, [1536]);
  assertEquals(gpu.memory.reserved, 4 * (512 + 1536));
  assertEquals(gpu.memory.reservedPeak, 4 * (1024 + 512 + 768));
});

gpuTest("a device can be as small as is wanted", async () => {
  using gpu = await Gpu.create({ limits: { maxStorageBufferBindingSize: 2 ** 16 } });
  assertEquals(gpu.adapter.limits.maxStorageBufferBindingSize, 2 ** 16);
  using fits = empty(gpu, [2 ** 14]);
  assertEquals(fits.size, 2 ** 14);
  assertThrows(() => empty(gpu, [2 ** 14 + 1]), OutOfMemoryError, "exceeds what this adapter");
});
