import { appendFile, writeFileAtomic } from "../../checkpoint/atomic.ts";
import { makeFolder } from "../../checkpoint/mod.ts";
import { type EventImage, imageEvent, scalarsEvent, stepOf, versionEvent } from "./event.ts";
import { decodeRecords, encodeRecord } from "./record.ts";

const PREFIX = "events.out.tfevents.";

/**
 * A run's event files, as TensorBoard reads them. Each start of the run writes one of its own; what
 * earlier ones wrote beyond the step that it begins at is cut off, so that no step is shown twice.
 */
export class EventFiles {
  #folder: string;
  #file: string | undefined;
  #now: () => number;

  /** `folder`: where they lie; `now`: the time in milliseconds. The file is made with the first event. */
  constructor(folder: string, now: () => number = Date.now) {
    this.#folder = folder;
    this.#now = now;
  }

  /** Adds numbers by their tags. @throws {WriteError} where there is no room. */
  async scalars(step: number, scalars: Readonly<Record<string, number>>): Promise<void> {
    await this.#add((wallTime) => scalarsEvent({ wallTime, step }, scalars));
  }

  /** Adds a picture. @throws {WriteError} where there is no room. */
  async image(step: number, tag: string, image: EventImage): Promise<void> {
    await this.#add((wallTime) => imageEvent({ wallTime, step }, tag, image));
  }

  /** Drops what lies beyond a step, and events that were cut short. */
  async truncate(step: number): Promise<void> {
    for (const name of await this.#names()) {
      const path = `${this.#folder}/${name}`;
      const file = await Deno.readFile(path);
      const kept = [...decodeRecords(file)].filter((event) => stepOf(event) <= step);
      await writeFileAtomic(path, kept.map(encodeRecord));
    }
  }

  async #add(event: (wallTime: number) => Uint8Array): Promise<void> {
    const wallTime = this.#now() / 1000;
    this.#file ??= await this.#begin(wallTime);
    await appendFile(this.#file, encodeRecord(event(wallTime)));
  }

  /** Files are read in the order of their names: the time, and the number of the start. */
  async #begin(wallTime: number): Promise<string> {
    await makeFolder(this.#folder);
    const start = (await this.#names()).length;
    const file = `${this.#folder}/${PREFIX}${Math.floor(wallTime)}.coda.${start}`;
    await writeFileAtomic(file, encodeRecord(versionEvent(wallTime)));
    return file;
  }

  async #names(): Promise<string[]> {
    try {
      const names = await Array.fromAsync(Deno.readDir(this.#folder), ({ name }) => name);
      return names.filter((name) => name.startsWith(PREFIX));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }
}
