import type { Gpu } from "../gpu/mod.ts";
import type { GroupStatistics } from "../ops/group_statistics.ts";
import type { Tensor } from "../tensor/mod.ts";
import type { FeatureMap, Rows, Stage } from "./stages.ts";
import type { StoredMap } from "./stored_map.ts";

/** What stages read while they run: maps, and the statistics of those that are normed. */
export class Workspace implements Disposable {
  #gpu: Gpu;
  #maps = new Map<FeatureMap, StoredMap>();
  #statistics = new Map<FeatureMap, GroupStatistics>();

  /** An empty one. */
  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** Keeps a map until it is released. */
  store(map: FeatureMap, stored: StoredMap): void {
    this.#maps.set(map, stored);
  }

  /** Keeps the statistics of a map as long as the map. */
  norm(map: FeatureMap, statistics: GroupStatistics): void {
    this.#statistics.set(map, statistics);
  }

  /** Rows of a stage's result, a tensor of the current scope. */
  compute({ readings, compute }: Stage, rows: Rows): Tensor {
    using scope = this.#gpu.scope();
    const parts = readings.map(({ map, rows: under }) => {
      const { from, to } = under(rows);
      const there = { from: Math.max(0, from), to: Math.min(map.height, to) };
      const tensor = this.#maps.get(map)!.take(there);
      return { tensor, rows: there, statistics: this.#statistics.get(map) };
    });
    return scope.keep(compute(parts, rows));
  }

  /** Frees the maps that `isDone` tells of. */
  release(isDone: (map: FeatureMap) => boolean): void {
    for (const [map, stored] of this.#maps) {
      if (!isDone(map)) continue;
      stored[Symbol.dispose]();
      this.#maps.delete(map);
      const statistics = this.#statistics.get(map);
      statistics?.mean.dispose();
      statistics?.variance.dispose();
      this.#statistics.delete(map);
    }
  }

  /** Frees all. */
  [Symbol.dispose](): void {
    this.release(() => true);
  }
}
