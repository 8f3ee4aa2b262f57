import { assertEquals } from "@std/assert";
import { bareCalls } from "../../bench/bare_calls.ts";
import { add } from "../../src/ops/mod.ts";
import { fromArray, full, Replays } from "../../src/tensor/mod.ts";
import { gpuTest } from "../support/gpu.ts";

gpuTest(
  "a replay's calls of WebGPU do the same again, and nothing taps calls any more",
  async (gpu) => {
    using _scope = gpu.scope();
    const total = full(gpu, [3], 0);
    const step = fromArray(gpu, [1, 2, 3], [3]);
    using replays = new Replays(gpu);
    const run = () => {
      using _scope = gpu.scope();
      replays.run("count", [step], ([step]) => {
        const next = add(total, step);
        gpu.copy(next.storage, total.storage);
        return [];
      });
      gpu.submit();
    };
    run(); // is recorded
    const { submit } = GPUQueue.prototype;
    const calls = bareCalls(run);
    assertEquals(calls.dispatches, 1);
    assertEquals(GPUQueue.prototype.submit, submit);
    assertEquals(await total.readF32(), new Float32Array([2, 4, 6]));
    calls.again();
    calls.again();
    assertEquals(await total.readF32(), new Float32Array([4, 8, 12]));
  },
);
