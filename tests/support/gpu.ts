import { assertEquals } from "@std/assert";
import { Gpu } from "../../src/gpu/mod.ts";

let shared: Promise<Gpu> | undefined;

/** The device that the tests of this process share. */
export function testGpu(): Promise<Gpu> {
  return shared ??= Gpu.create();
}

/** Registers a test that needs an adapter; `CODA_NO_GPU=1`, and nothing else, leaves it out. */
export function gpuTest(name: string, run: (gpu: Gpu) => void | Promise<void>): void {
  Deno.test({
    name,
    ignore: Deno.env.get("CODA_NO_GPU") === "1",
    sanitizeOps: false, // the shared device outlives the test
    sanitizeResources: false,
    fn: async () => await run(await testGpu()),
  });
}

/** Runs `work` and asserts that it leaves as many live GPU bytes as it found. */
export async function flat<T>(gpu: Gpu, work: () => T | Promise<T>): Promise<T> {
  const before = gpu.memory.live;
  const result = await work();
  assertEquals(gpu.memory.live, before, "live GPU bytes changed");
  return result;
}
