import { DeviceLostError, type Gpu, GpuError } from "../../gpu/mod.ts";
import { candidates, kindOf, recordWith, type Slot, type Tile, type Tiles } from "../tile.ts";
import { recordProbe } from "./probes.ts";

/**
 * How often each tile is measured; its least time counts. A run takes milliseconds, beside seconds of
 * compiling, and on a machine that is busy with other work a few of them may all be disturbed.
 */
const ROUNDS = 15;

/** Where a GPU has no timestamps: seconds of work beside which the wait for it is short. */
const LONG = 0.05;

/**
 * `wide32` is long code, which some drivers compile for seconds and then run slowly. `registers` is long
 * code too: where it takes so many times as long as `wide`, `wide32` is not even tried.
 */
const LONG_CODE = 1.8;

/** Whether a device may use the memory that measuring takes. */
export function canMeasure(gpu: Gpu): boolean {
  const all = candidates[kindOf(gpu)];
  const bytes = gpu.measure(() => {
    for (const slot of Object.keys(all) as Slot[]) recordProbe(gpu, slot);
  });
  return bytes <= gpu.memoryBytes;
}

/** The fastest tile of each slot on this device, found by running them. */
export async function measureTiles(gpu: Gpu): Promise<Tiles> {
  const all = candidates[kindOf(gpu)];
  const best = async (slot: Slot, tried = all[slot]): Promise<Tile> =>
    tried.length === 1 ? tried[0] : fastest(await measureSlot(gpu, slot, tried));
  const products = await measureSlot(gpu, "matmul", all.matmul);
  const ratio = products.get("registers")! / products.get("wide")!; // NaN where there is no `wide`
  const short = all.winograd.filter((tile) => tile !== "wide32");
  return {
    matmul: fastest(products),
    smallMatmul: await best("smallMatmul"),
    winograd: await best("winograd", ratio > LONG_CODE ? short : all.winograd),
    convolution: await best("convolution"),
    weightGradient: await best("weightGradient"),
  };
}

/** Seconds by tile. */
type Times = Map<Tile, number>;

/** They take turns, so that a device that slows down slows all of them. */
async function measureSlot(
  gpu: Gpu,
  slot: Slot,
  tiles: readonly Tile[],
): Promise<Times> {
  const times: Times = new Map();
  for (const tile of tiles) { // the first run compiles
    if (await runs(gpu, () => record(gpu, slot, tile))) times.set(tile, Infinity);
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const [tile, least] of times) {
      const seconds = await secondsOf(gpu, () => record(gpu, slot, tile));
      times.set(tile, Math.min(least, seconds));
    }
  }
  return times;
}

function record(gpu: Gpu, slot: Slot, tile: Tile): void {
  recordWith({ [slot]: tile }, () => recordProbe(gpu, slot));
}

/** Whether work runs at all: a driver may refuse what others compile. */
async function runs(gpu: Gpu, work: () => void): Promise<boolean> {
  try {
    work();
    await gpu.sync();
    return true;
  } catch (error) {
    if (!(error instanceof GpuError) || error instanceof DeviceLostError) throw error;
    return false;
  }
}

async function secondsOf(gpu: Gpu, work: () => void): Promise<number> {
  if (gpu.adapter.features.includes("timestamp-query")) {
    const rows = await gpu.profile(work);
    return rows.reduce((sum, { seconds }) => sum + seconds, 0);
  }
  for (let calls = 1;; calls *= 4) {
    const start = performance.now();
    for (let call = 0; call < calls; call++) work();
    await gpu.sync();
    const seconds = (performance.now() - start) / 1000;
    if (seconds > LONG) return seconds / calls;
  }
}

/** @throws {GpuError} where none runs. */
function fastest(times: Times): Tile {
  const [first] = [...times].sort(([, a], [, b]) => a - b);
  if (!first) throw new GpuError("none of the tiles of a product runs on this adapter");
  return first[0];
}
