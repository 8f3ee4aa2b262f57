import { assertEquals } from "@std/assert";
import { BufferPool, type PoolOptions } from "../../src/gpu/pool.ts";

const GIB = 2 ** 30;

/** A pool of buffers that are only counted, and the numbers of those that were destroyed. */
function pretended(options: Partial<PoolOptions> = {}) {
  const destroyed: number[] = [];
  const device = { createBuffer: () => ({ destroy() {} }) as GPUBuffer };
  const pool = new BufferPool(device, {
    most: Infinity,
    largest: 64 * GIB,
    onDestroy: (id) => destroyed.push(id),
    onShort: () => {},
    ...options,
  });
  /** Has so many bytes live at once, of buffers of 1 GiB, and frees them. */
  const need = (gibibytes: number) => {
    const storages = Array.from({ length: gibibytes }, () => pool.allocate(GIB));
    for (const storage of storages) storage.release();
  };
  return { pool, destroyed, need };
}

Deno.test("as many bytes wait as were live at once, and 2 GiB at least", () => {
  const { pool, destroyed, need } = pretended();
  need(1);
  assertEquals([pool.memory.pooled, pool.capacity], [GIB, 2 * GIB]);
  need(5);
  need(5);
  assertEquals([pool.memory.pooled, destroyed], [5 * GIB, []]);
  pool.trim();
  assertEquals([pool.memory.pooled, pool.capacity], [0, 2 * GIB]);
});

Deno.test("beyond that the longest unused buffers are destroyed", () => {
  const { pool, destroyed } = pretended({ capacity: 3000 });
  const [a, b, c, d] = [1024, 512, 1024, 768].map((size) => pool.allocate(size));
  const ids = [a, b, c, d].map(({ pooled }) => pooled.id);
  for (const storage of [b, a, c]) storage.release();
  pool.allocate(512).release(); // b's, which is then the last used
  assertEquals([pool.memory.pooled, destroyed], [2560, []]);
  d.release();
  assertEquals([pool.memory.pooled, destroyed], [2304, [ids[0]]]);
});

Deno.test("a recording's buffers serve recordings alone, until the last of these is forgotten", () => {
  const { pool } = pretended();
  const record = (...sizes: number[]) => {
    const buffers = pool.beginRecording();
    for (const storage of sizes.map((size) => pool.allocate(size))) storage.release();
    pool.endRecording();
    return buffers;
  };
  pool.allocate(1024).release();
  const first = record(1024, 512);
  assertEquals([pool.memory.recorded, pool.memory.pooled], [1536, 1536]);
  const outside = pool.allocate(1024);
  assertEquals([first.has(outside.pooled), pool.memory.reserved], [false, 2560]);
  const second = record(1024, 1024);
  assertEquals([pool.memory.recorded, pool.memory.reserved], [2560, 3584]);
  pool.forgetRecording(first);
  assertEquals([pool.memory.recorded, pool.memory.pooled], [2048, 2560]);
  const kept = [...second].find((pooled) => first.has(pooled))!;
  assertEquals(kept.size, 1024);
  pool.forgetRecording(second);
  assertEquals([pool.memory.recorded, pool.memory.pooled], [0, 2560]);
  outside.release();
  assertEquals([pool.memory.live, pool.memory.pooled], [0, 3584]);
});

Deno.test("with room, what a recording freed serves it for less", () => {
  const { pool } = pretended();
  pool.beginRecording(2);
  const [large, small] = [2048, 768].map((size) => pool.allocate(size));
  for (const storage of [large, small]) storage.release();
  const used = [512, 1024, 512].map((size) => pool.allocate(size).pooled);
  assertEquals(used.slice(0, 2), [small.pooled, large.pooled]);
  assertEquals(pool.memory.reserved, 2048 + 768 + 512);
  pool.endRecording();
});

Deno.test("what outlives its recording goes back when it is released", () => {
  const { pool } = pretended();
  const buffers = pool.beginRecording();
  const storage = pool.allocate(1024);
  pool.endRecording();
  pool.forgetRecording(buffers);
  assertEquals([pool.memory.live, pool.memory.pooled], [1024, 0]);
  storage.release();
  assertEquals([pool.memory.pooled, pool.memory.recorded], [1024, 0]);
});
