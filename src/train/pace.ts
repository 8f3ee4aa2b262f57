import type { Gpu } from "../gpu/mod.ts";

/**
 * Keeps the host at most a step ahead of the GPU: enough that neither waits for the other, little
 * enough that memory stays flat and an interrupt is heard soon.
 */
export class Pace {
  #gpu: Gpu;
  #check: () => Promise<void>;
  #depth: number;
  #inFlight: Promise<unknown>[] = [];

  /** `check`: looks at each step once it is done; `depth`: how many may be under way. */
  constructor(gpu: Gpu, check: () => Promise<void>, depth = 2) {
    this.#gpu = gpu;
    this.#check = check;
    this.#depth = depth;
  }

  /**
   * Sends what was recorded and returns as soon as another step may be recorded.
   *
   * @throws What the check of a step throws, at the latest two steps after it.
   */
  async next(): Promise<void> {
    const done = Promise.all([this.#check(), this.#gpu.sync()]);
    done.catch(() => {}); // whoever waits for it hears of the failure
    this.#inFlight.push(done);
    if (this.#inFlight.length >= this.#depth) await this.#inFlight.shift();
  }
}
