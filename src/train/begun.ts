import { Checkpoints } from "./checkpoints.ts";
import { LOCK } from "./folder_lock.ts";

/** What a run writes before its first save. */
const BEGUN: readonly string[] = [
  "config.json",
  "metrics.jsonl",
  "tensorboard",
  "samples",
  "checkpoints",
];

/**
 * Whether a run may begin in a folder: there is none, it is empty, or it holds only what a run left
 * that ended before its first save. A model, a saved run and any other file are not written over.
 */
export async function isFree(folder: string): Promise<boolean> {
  try {
    const all = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    const names = all.filter((name) => name !== LOCK);
    if (names.length === 0) return true;
    if (!names.every((name) => BEGUN.includes(name))) return false;
    const saved = await new Checkpoints(`${folder}/checkpoints`).steps();
    return saved.length === 0 && await isOfRun(`${folder}/config.json`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}

/** Removes what a run left in a folder that {@link isFree}. */
export async function clearBegun(folder: string): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    if (BEGUN.includes(name)) await Deno.remove(`${folder}/${name}`, { recursive: true });
  }
}

/** Other programs name their files so too; a run's has its options. */
async function isOfRun(config: string): Promise<boolean> {
  try {
    return Object.hasOwn(JSON.parse(await Deno.readTextFile(config)), "training");
  } catch {
    return false;
  }
}
