/** What `encode` and `decode` say of the memory that their images took. */
import type { MemoryPlan } from "../../vae/mod.ts";
import { formatBytes } from "../format.ts";

const WORDS = {
  whole: "whole",
  bands: "in bands",
  host: "in bands kept in the host's memory",
};

/** Gathers the plans of images. */
export class MemoryPaths {
  #asked: boolean;
  #counts = new Map<MemoryPlan["path"], number>();
  #bytes = 0;

  /** `asked`: whether memory was limited; else only what was not done whole is told. */
  constructor(asked: boolean) {
    this.#asked = asked;
  }

  /** Adds an image's plan. */
  add({ path, bytes }: MemoryPlan): void {
    this.#counts.set(path, (this.#counts.get(path) ?? 0) + 1);
    this.#bytes = Math.max(this.#bytes, bytes);
  }

  /** For example "12 whole", "2 in bands" and "at most 1.9 GiB of GPU memory"; counts only where they differ. */
  texts(): string[] {
    const isOne = this.#counts.size === 1;
    if (!this.#asked && isOne && this.#counts.has("whole")) return [];
    const counts = [...this.#counts].map(([path, count]) =>
      isOne ? WORDS[path] : `${count} ${WORDS[path]}`
    );
    return [...counts, `at most ${formatBytes(this.#bytes)} of GPU memory`];
  }
}
