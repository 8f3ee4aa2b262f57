import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { defineKernel, Gpu, GpuError, KernelError, OutOfMemoryError } from "../../src/gpu/mod.ts";
import { fromArray, full, share, zeros } from "../../src/tensor/mod.ts";
import { flat, gpuTest } from "../support/gpu.ts";

const accumulate = defineKernel("accumulate");

gpuTest("hundreds of dispatches keep their own parameters and order", async (gpu) => {
  await flat(gpu, async () => {
    using y = zeros(gpu, [16]);
    using x = full(gpu, [16], 1);
    for (let i = 0; i < 600; i++) { // more than the uniform ring and several submits hold
      gpu.run(accumulate, "add", {
        bind: { x: x.storage, y: y.storage },
        params: { size: 4 * (i % 4) + 1 }, // whole quads
        grid: [1, 1, 1],
      });
    }
    const sums = await y.readF32();
    assertEquals([sums[0], sums[4], sums[8], sums[12]], [600, 450, 300, 150]);
  });
});

gpuTest("a write comes after what was dispatched before it", async (gpu) => {
  using x = fromArray(gpu, [1], [1]);
  using y = zeros(gpu, [1]);
  const add = () =>
    gpu.run(accumulate, "add", {
      bind: { x: x.storage, y: y.storage },
      params: { size: 1 },
      grid: [1, 1, 1],
    });
  add();
  x.write(new Float32Array([10]));
  add();
  assertEquals(await y.item(), 11);
});

gpuTest("freed buffers are used again, counted, and can be trimmed", (gpu) => {
  const before = gpu.memory;
  gpu.resetPeak();
  for (let i = 0; i < 10; i++) zeros(gpu, [1000]).dispose();
  assertEquals(gpu.memory.live, before.live);
  assertEquals(gpu.memory.peak, before.live + 4000);
  assert(gpu.memory.pooled <= before.pooled + 4096, "ten tensors in turn need one buffer");
  gpu.trim();
  assertEquals(gpu.memory.pooled, 0);
});

gpuTest("the same buffers come back, whatever the order in which they were freed", (gpu) => {
  const take = (order: number[]) => {
    const storages = order.map(() => gpu.allocate(1000));
    for (const i of order) storages[i].release();
    return storages.map(({ pooled }) => pooled.id);
  };
  const first = take([0, 1, 2, 3]);
  assertEquals(new Set(first).size, 4);
  assertEquals(take([2, 0, 3, 1]), first);
  assertEquals(take([3, 2, 1, 0]), first);
});

gpuTest("a full pool destroys what does not fit, also while it is in use", async () => {
  using gpu = await Gpu.create({ poolBytes: 0 });
  using sum = zeros(gpu, [256]);
  for (let i = 0; i < 50; i++) {
    using x = full(gpu, [256], 1);
    gpu.run(accumulate, "add", {
      bind: { x: x.storage, y: sum.storage },
      params: { size: 256 },
      grid: [4, 1, 1],
    });
  }
  assertEquals((await sum.readF32())[255], 50);
  assertEquals(gpu.memory.pooled, 0);
});

gpuTest("scopes free what is not kept, innermost first", async (gpu) => {
  await flat(gpu, () => {
    using outer = gpu.scope();
    const before = gpu.memory.live;
    let kept;
    {
      using inner = gpu.scope();
      zeros(gpu, [100]);
      kept = inner.keep(zeros(gpu, [50]));
    }
    assertEquals(gpu.memory.live, before + 200);
    assertEquals(kept.disposed, false);
    outer.keep(kept).dispose();
  });
});

gpuTest("a scope that outlives an inner one says so", (gpu) => {
  const outer = gpu.scope();
  const inner = gpu.scope();
  assertThrows(() => outer[Symbol.dispose](), GpuError, "must not span an await");
  inner[Symbol.dispose]();
});

gpuTest("wrong bindings, parameters and entries are named", (gpu) => {
  using _scope = gpu.scope();
  const [x, y] = [zeros(gpu, [1]).storage, zeros(gpu, [1]).storage];
  const run =
    (entry: string, bind: Record<string, typeof x>, params?: Record<string, number>) => () =>
      gpu.run(accumulate, entry, { bind, params, grid: [1, 1, 1] });
  assertThrows(run("sub", { x, y }), KernelError, 'no entry "sub": it has add');
  assertThrows(run("add", { x }), KernelError, 'accumulate:add: nothing is bound to "y"');
  assertThrows(run("add", { x, y, z: x }), KernelError, 'has no "z": it uses x, y');
  assertThrows(run("add", { x, y }), KernelError, 'parameter "size" is missing');
  assertThrows(
    () => gpu.run(accumulate, "add", { bind: { x, y }, params: { size: 1 }, grid: [70000, 1, 1] }),
    KernelError,
    "70000",
  );
});

gpuTest("what the driver refuses is thrown at the next wait, with the kernel's name", async () => {
  using gpu = await Gpu.create();
  using x = zeros(gpu, [1]);
  using y = zeros(gpu, [1]);
  gpu.run(accumulate, "add", {
    bind: { x: x.storage, y: y.storage },
    params: { size: 1 },
    constants: { NONE: 1 },
    grid: [1, 1, 1],
  });
  await assertRejects(() => gpu.sync(), KernelError, "kernel accumulate:add,NONE=1: ");
  assertEquals(await x.item(), 0); // the device goes on
});

gpuTest("a buffer that a dispatch writes is bound to nothing else", (gpu) => {
  using _scope = gpu.scope();
  const x = zeros(gpu, [1]);
  const run = () =>
    gpu.run(accumulate, "add", {
      bind: { x: x.storage, y: x.storage },
      params: { size: 1 },
      grid: [1, 1, 1],
    });
  assertThrows(run, KernelError, 'accumulate:add writes "y", which is also bound to "x"');
});

gpuTest("freed bytes are neither read, written, cleared, copied nor shared", async (gpu) => {
  using y = zeros(gpu, [1]);
  const x = zeros(gpu, [1]);
  x.dispose();
  const uses = [
    () => gpu.write(x.storage, new Float32Array(1)),
    () => gpu.clear(x.storage),
    () => gpu.copy(x.storage, y.storage),
    () => gpu.copy(y.storage, x.storage),
    () => share(x),
  ];
  for (const use of uses) assertThrows(use, GpuError, "already freed");
  await assertRejects(() => gpu.read(x.storage), GpuError, "already freed");
});

gpuTest("joined storages keep their values and are one for work on all of them", async (gpu) => {
  await flat(gpu, async () => {
    const tensors = [[1, 2, 3], [4], [5, 6]].map((values) => {
      return fromArray(gpu, values, [values.length]);
    });
    const whole = gpu.join(tensors.map(({ storage }) => storage), 256);
    const page = new Float32Array(192);
    for (const [at, value] of [[0, 1], [1, 2], [2, 3], [64, 4], [128, 5], [129, 6]]) {
      page[at] = value;
    }
    assertEquals(new Float32Array(await gpu.read(whole)), page);
    const [a, b, c] = tensors;
    b.write(new Float32Array([7]));
    gpu.clear(c.storage);
    using copy = zeros(gpu, [3]);
    gpu.copy(a.storage, copy.storage);
    gpu.run(accumulate, "add", {
      bind: { x: copy.storage, y: a.storage },
      params: { size: 3 },
      grid: [1, 1, 1],
    });
    for (const [at, value] of [[0, 2], [1, 4], [2, 6], [64, 7], [128, 0], [129, 0]]) {
      page[at] = value;
    }
    assertEquals(new Float32Array(await gpu.read(whole)), page);
    assertEquals(await Promise.all(tensors.map((tensor) => tensor.readF32())), [
      Float32Array.of(2, 4, 6),
      Float32Array.of(7),
      Float32Array.of(0, 0),
    ]);
    const parts = () =>
      gpu.run(accumulate, "add", {
        bind: { x: b.storage, y: a.storage },
        params: { size: 1 },
        grid: [1, 1, 1],
      });
    assertThrows(parts, KernelError, 'accumulate:add writes "y", which is also bound to "x"');
    a.dispose();
    b.dispose();
    assertEquals(new Float32Array(await gpu.read(whole)), page);
    c.dispose();
    await assertRejects(() => gpu.read(whole), GpuError, "already freed");
  });
});

gpuTest(
  "a tensor beyond the adapter's limit is refused before anything is allocated",
  async (gpu) => {
    const limit = gpu.adapter.limits.maxStorageBufferBindingSize;
    await flat(gpu, () => {
      assertThrows(
        () => zeros(gpu, [limit / 4 + 1]),
        OutOfMemoryError,
        "smaller image, batch or codebook",
      );
    });
  },
);

gpuTest("a profile counts dispatches by kernel, or says that the adapter cannot", async (gpu) => {
  using y = zeros(gpu, [64]);
  const work = () => {
    for (let i = 0; i < 200; i++) full(gpu, [64], i).dispose();
    gpu.clear(y.storage);
  };
  if (!gpu.adapter.features.includes("timestamp-query")) {
    await assertRejects(() => gpu.profile(work), GpuError, "timestamp");
    return;
  }
  const [row] = await gpu.profile(work);
  assertEquals([row.kernel, row.count], ["fill:fill", 200]);
  assert(row.seconds > 0);
});
