import type { Gpu } from "../gpu/mod.ts";

/**
 * Keeps the host at most a step ahead of the GPU: enough that neither waits for the other, little
 * enough that memory stays flat and an interrupt is heard soon.
 */
export class Pace {
  #gpu: Gpu;
  #depth: number;
  #inFlight: Promise<void>[] = [];

  /** `depth`: how many steps may be under way. */
  constructor(gpu: Gpu, depth = 2) {
    this.#gpu = gpu;
    this.#depth = depth;
  }

  /** Sends what was recorded and returns as soon as another step may be recorded. */
  async next(): Promise<void> {
    const done = this.#gpu.sync();
    done.catch(() => {}); // whoever waits for it hears of the failure
    this.#inFlight.push(done);
    if (this.#inFlight.length >= this.#depth) await this.#inFlight.shift();
  }
}
