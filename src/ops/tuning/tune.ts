import type { Gpu } from "../../gpu/mod.ts";
import { type Tiles, tilesOf, useTiles } from "../tile.ts";
import { keptFile, readKept, writeKept } from "./kept.ts";
import { canMeasure, measureTiles } from "./measure.ts";

/** How {@link tune} finds tiles. */
export interface TuneOptions {
  /** Measures them again, whatever is known. */
  again?: boolean;
  /** Where they are kept; `coda` in the user's folder for caches. */
  folder?: string;
}

/** What {@link tune} found. */
export interface Tuning {
  /** The tile of each kind of product. */
  readonly tiles: Readonly<Tiles>;
  /**
   * Whether they were measured by this process, or by another and kept; or are those that adapters of
   * its kind have unmeasured, since the device may not use enough memory.
   */
  readonly source: "measured" | "kept" | "default";
  /** When they were measured, as an ISO date. */
  readonly measured?: string;
  /** The file that keeps them. */
  readonly file?: string;
}

const tunings = new WeakMap<Gpu, Promise<Tuning>>();

/**
 * Finds how matrix products and convolutions are fastest on a device, by running each way briefly, and
 * has the device use them from then on. What was found is kept in the user's folder for caches (`coda` in
 * `$XDG_CACHE_HOME`, `~/.cache`, `~/Library/Caches` or `%LOCALAPPDATA%`) for a month; where there is none,
 * or it may not be used, for this process.
 *
 * Results do not depend on it, to the bit: an output is one chain of fused multiply-adds either way.
 * {@link Tokenizer.load} and `adapt` tune their device themselves.
 *
 * @throws {GpuError} where the device does not work.
 *
 * @example
 * ```ts
 * import { Gpu, tune } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const { tiles } = await tune(gpu);
 * console.log(tiles.matmul);
 * ```
 */
export function tune(gpu: Gpu, options: TuneOptions = {}): Promise<Tuning> {
  const known = options.again ? undefined : tunings.get(gpu);
  if (known) return known;
  const tuning = find(gpu, options);
  tunings.set(gpu, tuning);
  tuning.catch(() => tunings.delete(gpu));
  return tuning;
}

async function find(gpu: Gpu, { again, folder }: TuneOptions): Promise<Tuning> {
  const file = await keptFile(gpu, folder);
  const kept = file && !again ? await readKept(gpu, file) : undefined;
  if (kept) {
    const { tiles, measured } = kept;
    useTiles(gpu, tiles);
    return { tiles, source: "kept", measured, file };
  }
  if (!canMeasure(gpu)) return { tiles: tilesOf(gpu), source: "default" };
  const tiles = await measureTiles(gpu);
  gpu.trim(); // of what was measured nothing waits for reuse
  useTiles(gpu, tiles);
  const measured = new Date().toISOString();
  if (file) await writeKept(gpu, file, { measured, tiles });
  return { tiles, source: "measured", measured, file };
}
