import type { Gpu } from "../gpu/mod.ts";
import { GroupMoments } from "../ops/group_moments.ts";
import { bandsOf, type FeatureMap, type Rows, type Stage, type Stages } from "./stages.ts";
import { GpuMap, HostMap, type StoredMap } from "./stored_map.ts";
import { Workspace } from "./workspace.ts";

/** How stages are run in bands of rows. */
export interface Bands {
  /** Whether the maps between stages are kept in the host's memory, not on the GPU. */
  readonly onHost: boolean;
  /** The rows of a band of each stage's result. */
  readonly heights: readonly number[];
}

/** The moments of a map, gathered while it is made, where a later stage norms it. */
export function momentsOf(gpu: Gpu, stages: Stages, map: FeatureMap): GroupMoments | undefined {
  if (stages.groupsOf(map) === undefined) return undefined;
  return new GroupMoments(gpu, map.height * map.width, map.channels);
}

/**
 * Runs stages on one image's values, [height, width, channels], one stage after another, each band by
 * band, and returns the values of the last one's map. They are those of the whole to the bit.
 */
export async function runInBands(
  gpu: Gpu,
  stages: Stages,
  bands: Bands,
  values: Float32Array,
): Promise<Float32Array> {
  const { input, output } = stages;
  using work = new Workspace(gpu);
  using result = new HostMap(gpu, output);
  work.store(input, new HostMap(gpu, input, values));
  for (const [i, stage] of stages.all.entries()) {
    const map = stage.result === output
      ? result
      : bands.onHost
      ? new HostMap(gpu, stage.result)
      : new GpuMap();
    work.store(stage.result, map);
    await runStage(gpu, stages, stage, bands.heights[i], work, map);
    work.release((map) => map !== output && stages.lastReader(map) <= i);
  }
  return result.values({ from: 0, to: output.height });
}

async function runStage(
  gpu: Gpu,
  stages: Stages,
  stage: Stage,
  height: number,
  work: Workspace,
  map: StoredMap,
): Promise<void> {
  using moments = momentsOf(gpu, stages, stage.result);
  let kept = Promise.resolve();
  for (const rows of bandsOf(stage.result, height)) {
    const next = runBand(gpu, stage, rows, work, map, moments);
    next.catch(() => {}); // thrown when it is waited for, unless the one before has failed
    await kept; // while a band is read, the next is computed
    kept = next;
  }
  await kept;
  const groups = stages.groupsOf(stage.result);
  if (groups !== undefined) work.norm(stage.result, moments!.statistics(groups));
  await gpu.sync(); // buffers that were freed meanwhile are gone only now
}

function runBand(
  gpu: Gpu,
  stage: Stage,
  rows: Rows,
  work: Workspace,
  map: StoredMap,
  moments: GroupMoments | undefined,
): Promise<void> {
  using _scope = gpu.scope();
  const tensor = work.compute(stage, rows);
  moments?.add(tensor);
  return map.put(rows, tensor);
}
