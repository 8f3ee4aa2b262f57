import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  defineKernel,
  DeviceLostError,
  Gpu,
  GpuError,
  KernelError,
  type Storage,
} from "../../src/gpu/mod.ts";
import { fromArray, full, type Tensor, zeros } from "../../src/tensor/mod.ts";
import { flat, gpuTest } from "../support/gpu.ts";

const accumulate = defineKernel("accumulate");

/** y += x over the first `size` elements, whole quads. */
function add(gpu: Gpu, x: Storage, y: Storage, size: number): void {
  gpu.run(accumulate, "add", { bind: { x, y }, params: { size }, grid: [1, 1, 1] });
}

/** Storages that a test is done with. */
function release(storages: readonly Storage[]): void {
  for (const storage of storages) storage.release();
}

async function floats(gpu: Gpu, storage: Storage): Promise<number[]> {
  return [...new Float32Array(await gpu.read(storage))];
}

/** Work of `rounds` dispatches of changing parameters, with a copy and a clearing: one output. */
function rounds(gpu: Gpu, count: number) {
  return ([x]: readonly Storage[]): Storage[] => {
    const [y, copy] = [gpu.allocate(64), gpu.allocate(64)];
    gpu.clear(y);
    for (let i = 0; i < count; i++) add(gpu, x, y, 4 * (i % 4) + 1);
    gpu.copy(y, copy);
    add(gpu, y, copy, 16);
    release([x, y]);
    return [copy];
  };
}

gpuTest("a replay does the same for other inputs, with parameters of its own", async (gpu) => {
  await flat(gpu, async () => {
    using one = full(gpu, [16], 1);
    using two = full(gpu, [16], 2);
    using result = zeros(gpu, [16]);
    const { recording, outputs } = gpu.record([one.storage], rounds(gpu, 600));
    const sums = (x: number) =>
      Array.from({ length: 16 }, (_, i) => 2 * x * (600 - 150 * Math.floor(i / 4)));
    assertEquals(await floats(gpu, outputs[0]), sums(1));
    release(outputs);
    for (const [x, input] of [[2, two], [1, one], [2, two]] as const) {
      for (let i = 0; i < 100; i++) add(gpu, two.storage, result.storage, 16); // the ring is in use
      gpu.replay(recording, [input.storage]);
      gpu.takeOutputs(recording, [result.storage]);
      assertEquals(await result.readF32(), new Float32Array(sums(x)));
    }
    recording[Symbol.dispose]();
  });
});

gpuTest("nothing else is given the buffers of a recording", async (gpu) => {
  await flat(gpu, async () => {
    using one = full(gpu, [16], 1);
    const { recording, outputs } = gpu.record([one.storage], rounds(gpu, 4));
    release(outputs);
    const others = Array.from({ length: 20 }, (_, i) => full(gpu, [16], i));
    gpu.replay(recording, [one.storage]);
    for (const [i, other] of others.entries()) {
      assertEquals(await other.readF32(), new Float32Array(16).fill(i));
      other.dispose();
    }
    recording[Symbol.dispose]();
  });
});

gpuTest("what a recording uses of others is held, and where it lay", async (gpu) => {
  await flat(gpu, async () => {
    const weight = full(gpu, [16], 3);
    const { recording, outputs } = gpu.record([], () => {
      const y = gpu.allocate(64);
      gpu.clear(y);
      add(gpu, weight.storage, y, 16);
      return [y];
    });
    release(outputs);
    using result = zeros(gpu, [16]);
    const replayed = async () => {
      gpu.replay(recording, []);
      gpu.takeOutputs(recording, [result.storage]);
      return (await result.readF32())[7];
    };
    weight.write(new Float32Array(16).fill(4));
    assertEquals(await replayed(), 4);
    const { storage } = weight;
    weight.dispose();
    assertEquals([storage.references, await replayed()], [1, 4]);
    gpu.join([storage], 256); // lies elsewhere now
    assertThrows(() => gpu.replay(recording, []), GpuError, "record it again");
    recording[Symbol.dispose]();
    assertEquals(storage.references, 0);
  });
});

gpuTest("trimming forgets recordings", (gpu) => {
  using one = full(gpu, [16], 1);
  const { recording, outputs } = gpu.record([one.storage], rounds(gpu, 4));
  release(outputs);
  assert(gpu.memory.recorded >= 3 * 256);
  gpu.trim();
  assertEquals([gpu.memory.recorded, gpu.memory.pooled], [0, 0]);
  assertThrows(() => gpu.replay(recording, [one.storage]), GpuError, "was forgotten");
});

gpuTest("the longest unused recordings are forgotten", (gpu) => {
  const record = () => gpu.record([], () => []).recording;
  const [first, second, ...others] = Array.from({ length: 16 }, record);
  gpu.replay(first, []);
  record();
  assertEquals([first, second, ...others].map(({ isCurrent }) => isCurrent), [
    true,
    false,
    ...others.map(() => true),
  ]);
});

gpuTest("recordings that need more than may wait are forgotten but for the last", async () => {
  using gpu = await Gpu.create({ poolBytes: 2048 });
  const record = (size: number) => {
    const { recording, outputs } = gpu.record([], () => [gpu.allocate(size)]);
    release(outputs);
    return recording;
  };
  const first = record(1024);
  const second = record(1024); // the first's buffer
  assertEquals([gpu.memory.recorded, first.isCurrent, second.isCurrent], [1024, true, true]);
  const third = record(4096);
  assertEquals([first.isCurrent, second.isCurrent, third.isCurrent], [true, true, true]);
  record(512); // the third's waits too by now
  assertEquals([first.isCurrent, second.isCurrent, third.isCurrent], [false, false, false]);
  assertEquals(gpu.memory.recorded, 512);
});

gpuTest("work that finds memory short goes on without being recorded", async () => {
  using gpu = await Gpu.create({ memoryBytes: 3 * 1024 + 256 });
  using x = full(gpu, [64], 1);
  const work = (): Storage[] => {
    const y = gpu.allocate(256);
    gpu.copy(x.storage, y);
    for (const size of [1024, 2048, 512, 1536]) { // more in all than may be taken
      const [part, copy] = [gpu.allocate(size), y];
      gpu.clear(part);
      add(gpu, copy, part, 1);
      gpu.copy(x.storage, y);
      part.release();
      add(gpu, x.storage, y, 64);
    }
    return [y];
  };
  const { recording, outputs } = gpu.record([], work);
  assertEquals(recording.isCurrent, false);
  assertEquals(gpu.memory.recorded, 0);
  assert(gpu.memory.reservedPeak <= 3 * 1024 + 256);
  assertEquals((await floats(gpu, outputs[0])).at(-1), 2);
  release(outputs);
  const { recording: small } = gpu.record([], () => []);
  assertEquals(small.isCurrent, true);
});

gpuTest("work that is recorded neither uploads, reads, joins, records nor replays", async (gpu) => {
  await flat(gpu, async () => {
    using x = full(gpu, [1], 1);
    const before = gpu.memory.recorded;
    const { recording } = gpu.record([], () => []);
    const uses: [string, (x: Tensor) => void][] = [
      [
        "written within work that is recorded: make what changes",
        (x) => x.write(new Float32Array(1)),
      ],
      ["read within work that is recorded: read what", (x) => void x.read().catch(() => {})],
      ["joined within", (x) => void gpu.join([x.storage], 256)],
      ["recorded within", () => void gpu.record([], () => [])],
      ["replayed within", () => gpu.replay(recording, [])],
    ];
    for (const [message, use] of uses) {
      const work = () => {
        using _y = zeros(gpu, [1]);
        use(x);
        return [];
      };
      assertThrows(() => gpu.record([], work), GpuError, message);
    }
    assertEquals([await x.item(), gpu.memory.recorded, gpu.canRecord], [1, before, true]);
  });
});

gpuTest("an error of the work ends its recording", async (gpu) => {
  await flat(gpu, async () => {
    using x = full(gpu, [16], 1);
    const before = gpu.memory.recorded;
    const work = () => {
      using _y = zeros(gpu, [100]);
      throw new RangeError("of its own");
    };
    assertThrows(() => gpu.record([], work), RangeError, "of its own");
    assertEquals([gpu.memory.recorded, gpu.canRecord], [before, true]);
    const { recording, outputs } = gpu.record([x.storage], rounds(gpu, 4));
    assertEquals((await floats(gpu, outputs[0]))[0], 8);
    release(outputs);
    recording[Symbol.dispose]();
  });
});

gpuTest("what the driver refuses is told of a replay too", async () => {
  using gpu = await Gpu.create();
  using x = zeros(gpu, [16]);
  using y = zeros(gpu, [16]);
  const { recording } = gpu.record([], () => {
    gpu.run(accumulate, "add", {
      bind: { x: x.storage, y: y.storage },
      params: { size: 16 },
      constants: { NONE: 1 },
      grid: [1, 1, 1],
    });
    return [];
  });
  await assertRejects(() => gpu.sync(), KernelError, "kernel accumulate:add,NONE=1: ");
  gpu.replay(recording, []);
  await assertRejects(() => gpu.sync(), KernelError);
  assertEquals((await x.readF32())[0], 0); // the device goes on
});

gpuTest("a device that is lost is told of at the next replay", async () => {
  const { requestDevice } = GPUAdapter.prototype;
  let device: GPUDevice | undefined;
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    return device = await requestDevice.call(this, descriptor);
  };
  using gpu = await Gpu.create();
  GPUAdapter.prototype.requestDevice = requestDevice;
  using x = zeros(gpu, [16]);
  const { recording, outputs } = gpu.record([x.storage], rounds(gpu, 4));
  release(outputs);
  gpu.replay(recording, [x.storage]);
  await gpu.sync();
  device!.destroy();
  await device!.lost;
  for (let i = 0; i < 2; i++) {
    assertThrows(() => gpu.replay(recording, [x.storage]), DeviceLostError, "was lost");
  }
  recording[Symbol.dispose]();
});

gpuTest("a profile counts what is replayed", async (gpu) => {
  if (!gpu.adapter.features.includes("timestamp-query")) return;
  using x = fromArray(gpu, new Float32Array(16), [16]);
  const { recording, outputs } = gpu.record([x.storage], rounds(gpu, 200));
  release(outputs);
  const [row] = await gpu.profile(() => gpu.replay(recording, [x.storage]));
  assertEquals([row.kernel, row.count, recording.dispatches], ["accumulate:add", 201, 201]);
  recording[Symbol.dispose]();
});

/** The dispatches of each submit during `work`. */
async function submits(work: () => void | Promise<void>): Promise<number[]> {
  const { submit } = GPUQueue.prototype;
  const { dispatchWorkgroups } = GPUComputePassEncoder.prototype;
  const found: number[] = [];
  let count = 0;
  GPUQueue.prototype.submit = function (commands) {
    found.push(count);
    count = 0;
    submit.call(this, commands);
  };
  GPUComputePassEncoder.prototype.dispatchWorkgroups = function (x, y, z) {
    count++;
    dispatchWorkgroups.call(this, x, y, z);
  };
  try {
    await work();
  } finally {
    GPUQueue.prototype.submit = submit;
    GPUComputePassEncoder.prototype.dispatchWorkgroups = dispatchWorkgroups;
  }
  return found;
}

gpuTest("replays are sent in few submits, the first soon after a wait", async (gpu) => {
  using x = zeros(gpu, [16]);
  const { recording, outputs } = gpu.record([x.storage], rounds(gpu, 1199));
  release(outputs);
  const replay = () => gpu.replay(recording, [x.storage]);
  for (let i = 0; i < 2; i++) {
    await gpu.sync();
    const found = await submits(async () => {
      for (let j = 0; j < 3; j++) replay();
      await gpu.sync();
    });
    assertEquals(found, [384, 2048, 3600 - 384 - 2048]);
  }
  recording[Symbol.dispose]();
});
