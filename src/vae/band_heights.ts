import type { Gpu } from "../gpu/mod.ts";
import { bytesOf, empty, type Tensor } from "../tensor/mod.ts";
import { type Bands, momentsOf } from "./run_bands.ts";
import { bandsOf, type FeatureMap, type Rows, type Stages } from "./stages.ts";
import { GpuMap, type StoredMap } from "./stored_map.ts";
import { Workspace } from "./workspace.ts";

/**
 * Rows that a band has at least; all bands but a map's last have a multiple of it. It is a multiple of
 * what a fast convolution computes together, 4, so that a band's tiles are tiles of the whole.
 */
const LOWEST = 8;

/**
 * For each stage the highest bands with which it stays within `room` bytes, and the most bytes that any
 * stage takes with them: more than the room where even the lowest bands do.
 */
export function highestBands(
  gpu: Gpu,
  stages: Stages,
  onHost: boolean,
  room: number,
): { bands: Bands; bytes: number } {
  const heights: number[] = [];
  const bands = { onHost, heights };
  let most = 0;
  for (const [i, { result }] of stages.all.entries()) {
    if (!onHost && mapBytes(stages, i) > room) return { bands, bytes: Infinity };
    const measure = () => gpu.measure(() => tryStage(gpu, stages, i, bands));
    heights[i] = result.height;
    let bytes = measure();
    while (bytes > room && heights[i] > LOWEST) {
      heights[i] = Math.ceil(heights[i] / 2 / LOWEST) * LOWEST;
      bytes = measure();
    }
    most = Math.max(most, bytes);
  }
  return { bands, bytes: most };
}

/** What the maps take that are on the GPU while a stage runs, without its bands. */
function mapBytes(stages: Stages, i: number): number {
  const maps = [...earlierMaps(stages, i), stages.all[i].result];
  return maps.filter((map) => !isAway(stages, map, false))
    .reduce((sum, map) => sum + bytesOf(map.height * map.width * map.channels, map.dtype), 0);
}

/** The maps before a stage that it or a later one reads. */
function earlierMaps(stages: Stages, i: number): FeatureMap[] {
  return [stages.input, ...stages.all.slice(0, i).map(({ result }) => result)]
    .filter((map) => stages.lastReader(map) >= i);
}

/** Whether a map is in the host's memory: the first and the last always are. */
function isAway(stages: Stages, map: FeatureMap, onHost: boolean): boolean {
  return onHost || map === stages.input || map === stages.output;
}

/** Does what a stage does as far as memory is concerned: to be measured. */
function tryStage(gpu: Gpu, stages: Stages, i: number, { onHost, heights }: Bands): void {
  using work = new Workspace(gpu);
  const stage = stages.all[i];
  const place = (map: FeatureMap) =>
    isAway(stages, map, onHost) ? new AwayMap(gpu, map) : new GpuMap();
  for (const map of earlierMaps(stages, i)) {
    const height = heights[stages.all.findIndex(({ result }) => result === map)];
    work.store(map, filled(gpu, map, place(map), height));
    const groups = stages.groupsOf(map);
    if (groups === undefined) continue;
    work.norm(map, { mean: empty(gpu, [1, groups]), variance: empty(gpu, [1, groups]) });
  }
  using moments = momentsOf(gpu, stages, stage.result);
  using stored = place(stage.result);
  const bands = bandsOf(stage.result, heights[i]);
  bands.forEach((rows, n) => {
    if (n > 1 && n < bands.length - 2) return putEmpty(gpu, stage.result, stored, rows); // as those
    using _scope = gpu.scope();
    const tensor = work.compute(stage, rows);
    moments?.add(tensor);
    stored.put(rows, tensor);
  });
}

/** A map of which nothing stays on the GPU. */
class AwayMap implements StoredMap {
  #gpu: Gpu;
  #map: FeatureMap;

  constructor(gpu: Gpu, map: FeatureMap) {
    this.#gpu = gpu;
    this.#map = map;
  }

  put(): Promise<void> {
    return Promise.resolve();
  }

  take(rows: Rows): Tensor {
    return emptyRows(this.#gpu, this.#map, rows);
  }

  [Symbol.dispose](): void {}
}

function filled(gpu: Gpu, map: FeatureMap, stored: StoredMap, height: number): StoredMap {
  if (stored instanceof AwayMap) return stored;
  for (const rows of bandsOf(map, height)) putEmpty(gpu, map, stored, rows);
  return stored;
}

function putEmpty(gpu: Gpu, map: FeatureMap, stored: StoredMap, rows: Rows): void {
  if (stored instanceof AwayMap) return;
  using _scope = gpu.scope();
  stored.put(rows, emptyRows(gpu, map, rows));
}

function emptyRows(gpu: Gpu, { width, channels, dtype }: FeatureMap, { from, to }: Rows): Tensor {
  return empty(gpu, [1, to - from, width, channels], dtype);
}
