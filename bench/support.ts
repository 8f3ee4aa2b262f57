import { Gpu } from "../src/gpu/mod.ts";
import { tune } from "../src/ops/mod.ts";
import { fromArray, type Shape, sizeOf, type Tensor } from "../src/tensor/mod.ts";

/** What {@link gpuBench} measures. */
export interface GpuBench {
  /** The name that is printed, with the work of one dispatch. */
  name: string;
  /** The benches it is compared with. */
  group?: string;
  /** Whether the others of the group are compared with it. */
  baseline?: boolean;
  /** Floating point operations of one call, a multiply-add being two: the name then tells GFLOP. */
  flop?: number;
  /** Calls per measurement; each measurement ends with one wait for the GPU. Default 8. */
  calls?: number;
  /** Makes what the work reads; runs once, outside of the measurement. */
  setup: (gpu: Gpu) => () => void;
}

let shared: Promise<Gpu> | undefined;

/** A device with the tiles that are fastest on it, as the library's programs have one. */
export async function tunedGpu(): Promise<Gpu> {
  const gpu = await Gpu.create();
  await tune(gpu);
  return gpu;
}

/** The device that all benches of this process share. */
export function benchGpu(): Promise<Gpu> {
  return shared ??= tunedGpu();
}

/**
 * Registers a `deno bench` of work on the GPU. One wait for the GPU costs milliseconds, so an iteration
 * is `calls` calls and one wait; the time per call is the printed time divided by the number in the name.
 */
export function gpuBench({ name, group, baseline, flop, calls = 8, setup }: GpuBench): void {
  let work: (() => void) | undefined;
  const size = flop === undefined ? "" : `, ${(calls * flop / 1e9).toFixed(2)} GFLOP`;
  Deno.bench({
    name: `${calls} × ${name}${size}`,
    group,
    baseline,
    fn: async (timer) => {
      const gpu = await benchGpu();
      if (!work) {
        work = setup(gpu);
        await measure(gpu, work, 1);
      }
      timer.start();
      await measure(gpu, work, calls);
      timer.end();
    },
  });
}

/** Runs the work `calls` times, freeing what it makes, and waits for the GPU. */
export async function measure(gpu: Gpu, work: () => void, calls: number): Promise<void> {
  for (let call = 0; call < calls; call++) {
    using _scope = gpu.scope();
    work();
  }
  await gpu.sync();
}

/** Numbers in [-1, 1), the same in every process: what they are matters to no bench. */
export function noiseValues(count: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** A tensor of {@link noiseValues}. */
export function noise(gpu: Gpu, shape: Shape, seed = 1): Tensor {
  return fromArray(gpu, noiseValues(sizeOf(shape), seed), shape);
}
