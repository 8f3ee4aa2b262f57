import { type Gpu, OutOfMemoryError } from "../gpu/mod.ts";
import { highestBands } from "./band_heights.ts";
import type { Bands } from "./run_bands.ts";
import type { Stages } from "./stages.ts";

/** How work on an image is done within the memory that a device may use. */
export interface MemoryPlan {
  /**
   * `"whole"`: all of it at once; `"bands"`: layer by layer, each in bands of rows, with the feature
   * maps between them on the GPU; `"host"`: the same with the maps in the host's memory.
   */
  readonly path: "whole" | "bands" | "host";
  /** Bytes of GPU buffers at most, with those in use already: the weights first of all. */
  readonly bytes: number;
}

/** A plan with what is run in bands, and how. */
export interface BandPlan extends MemoryPlan {
  readonly path: "bands" | "host";
  readonly stages: Stages;
  readonly bands: Bands;
}

/** Into how many parts an attention's keys are cut: no more often than memory asks for. */
const KEY_PARTS = [1, 4, 16, 64];

/** The plan of work that takes so much at once; undefined where that exceeds `gpu.memoryBytes`. */
export function planWhole(gpu: Gpu, measured: number): MemoryPlan | undefined {
  const bytes = usedBytes(gpu) + measured;
  return bytes <= gpu.memoryBytes ? { path: "whole", bytes } : undefined;
}

/**
 * The plan of work of which a part, `stages`, runs in bands, and the `rest` at once: the one with the
 * fewest copies that stays within `gpu.memoryBytes`. It depends on the sizes, the adapter's limits and
 * the bytes in use alone, and is found without running anything.
 *
 * @throws {OutOfMemoryError} where not even the lowest bands fit.
 */
export function planInBands(
  gpu: Gpu,
  stages: (keyParts: number) => Stages,
  rest: () => void,
): BandPlan {
  const used = usedBytes(gpu);
  const room = gpu.memoryBytes - used;
  const atOnce = gpu.measure(rest);
  let least = Infinity;
  for (const parts of KEY_PARTS) {
    const work = stages(parts);
    for (const path of ["bands", "host"] as const) {
      const { bands, bytes } = highestBands(gpu, work, path === "host", room);
      const needed = Math.max(bytes, atOnce);
      if (needed <= room) return { path, bytes: used + needed, stages: work, bands };
      least = Math.min(least, needed);
    }
  }
  throw new OutOfMemoryError(tooLarge(gpu, used, least));
}

function usedBytes(gpu: Gpu): number {
  const { reserved, pooled } = gpu.memory;
  return reserved - pooled;
}

function tooLarge(gpu: Gpu, used: number, needed: number): string {
  if (needed === Infinity) {
    const largest = bytesInWords(gpu.adapter.limits.maxStorageBufferBindingSize);
    return `parts of it exceed the ${largest} that the adapter binds at once`;
  }
  return `it needs ${bytesInWords(used + needed)} of GPU memory even in bands, ${
    bytesInWords(used)
  } of that in ` +
    `use already, and ${bytesInWords(gpu.memoryBytes)} may be taken`;
}

/** Bytes as KiB or MiB, rounded up. */
export function bytesInWords(bytes: number): string {
  const inKiB = Math.ceil(bytes / 2 ** 10);
  return inKiB < 10_000 ? `${inKiB} KiB` : `${Math.ceil(inKiB / 2 ** 10)} MiB`;
}
