import { isTemporary, writeFolderAtomic } from "../checkpoint/atomic.ts";
import { CheckpointError, SafetensorsFile } from "../checkpoint/mod.ts";

/** The files of a checkpoint that are written together and must be of one step. */
const FILES = ["model.safetensors", "training.safetensors"] as const;

/** The newest checkpoint that can be gone on from. */
export interface Sound {
  /** Its step. */
  readonly step: number;
  /** What is wrong with each of the newer ones. */
  readonly faults: readonly string[];
}

/**
 * What a run saved: a folder `step-N` for each step, which is there whole or not at all, so that files
 * of two steps never meet.
 */
export class Checkpoints {
  /** The folder that holds them. */
  readonly path: string;

  /** Nothing is made before the first save. */
  constructor(path: string) {
    this.path = path;
  }

  /** The steps that were saved, newest first. */
  async steps(): Promise<number[]> {
    const steps = (await this.#names()).map((name) => Number(/^step-(\d+)$/.exec(name)?.[1]));
    return steps.filter(Number.isInteger).sort((a, b) => b - a);
  }

  /** The folder of a step. */
  folder(step: number): string {
    return `${this.path}/step-${step}`;
  }

  /** A file of a step. */
  file(step: number, name: string): string {
    return `${this.folder(step)}/${name}`;
  }

  /**
   * Saves a step.
   *
   * @param fill Writes its files into the folder that it is given.
   * @throws {WriteError} Where they cannot be written; the other checkpoints stay.
   */
  async save(step: number, fill: (folder: string) => Promise<void>): Promise<void> {
    await Deno.mkdir(this.path, { recursive: true });
    await writeFolderAtomic(this.folder(step), fill);
  }

  /**
   * The newest one whose files are whole and of its step; undefined where nothing was saved.
   *
   * @throws {CheckpointError} Where there are checkpoints but none is sound.
   */
  async latestSound(): Promise<Sound | undefined> {
    const errors: unknown[] = [];
    const steps = await this.steps();
    for (const step of steps) {
      try {
        await this.#expectSound(step);
        return { step, faults: errors.map(messageOf) };
      } catch (error) {
        errors.push(error);
      }
    }
    if (steps.length > 0) throw errors[0];
    return undefined;
  }

  /** Removes what lies beyond a step, and what saving left behind when it was killed. */
  async dropAfter(step: number): Promise<void> {
    for (const later of await this.steps()) if (later > step) await this.#remove(later);
    for (const name of await this.#names()) {
      if (isTemporary(name)) await Deno.remove(`${this.path}/${name}`, { recursive: true });
    }
  }

  /** Removes all but the newest `keep`, and the best. */
  async prune(keep: number, best: number | undefined): Promise<void> {
    const steps = await this.steps();
    for (const step of steps.slice(keep)) if (step !== best) await this.#remove(step);
  }

  async #remove(step: number): Promise<void> {
    await Deno.remove(this.folder(step), { recursive: true });
  }

  async #names(): Promise<string[]> {
    try {
      return await Array.fromAsync(Deno.readDir(this.path), ({ name }) => name);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  async #expectSound(step: number): Promise<void> {
    for (const name of FILES) {
      const path = this.file(step, name);
      using file = await SafetensorsFile.open(path);
      if (file.metadata.step === String(step)) continue;
      throw new CheckpointError(path, `is of step ${file.metadata.step}, expected ${step}`);
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
