import { type Gpu, gridFor } from "../gpu/mod.ts";

/** How a kernel that reduces rows is dispatched. */
export interface RowPlan {
  /** GROUP: threads a workgroup; LANES: threads that share a row. */
  constants: { GROUP: number; LANES: number };
  /** Workgroup counts. */
  grid: [number, number, number];
}

/**
 * Splits `rows` of `width` elements among threads. How a row is split, and so the order in which it is
 * summed, depends on its width and on the adapter, never on how many rows there are.
 */
export function rowPlan(gpu: Gpu, rows: number, width: number): RowPlan {
  const lanes = gpu.isCpu ? cpuLanes(width) : gpuLanes(width);
  const group = gpu.isCpu ? 8 : Math.max(64, lanes);
  return { constants: { GROUP: group, LANES: lanes }, grid: gridFor(rows, group / lanes) };
}

/** A CPU adapter runs a workgroup of one SIMD vector, 8 threads, without switching at barriers. */
function cpuLanes(width: number): number {
  return width <= 64 ? 1 : 8;
}

function gpuLanes(width: number): number {
  if (width <= 4) return 1;
  if (width <= 128) return 8;
  return width <= 2048 ? 64 : 256;
}
