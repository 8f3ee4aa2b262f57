import type { PooledBuffer } from "./pool.ts";

/** Buffers that nobody uses, by size. */
export class FreeList {
  #bySize = new Map<number, PooledBuffer[]>(); // each list by falling number
  #byAge = new Set<PooledBuffer>(); // the longest unused first
  #bytes = 0;

  /** How many bytes they have together. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The one that has been here longest. */
  get oldest(): PooledBuffer | undefined {
    return this.#byAge.values().next().value;
  }

  /** Adds a buffer. */
  put(pooled: PooledBuffer): void {
    const list = this.#bySize.get(pooled.size) ?? [];
    this.#bySize.set(pooled.size, list);
    let at = list.length;
    while (at > 0 && list[at - 1].id < pooled.id) at--;
    list.splice(at, 0, pooled);
    this.#byAge.add(pooled);
    this.#bytes += pooled.size;
  }

  /** Takes out a buffer of the least size from `size` to `most`; of those the one with the lowest number. */
  take(size: number, most: number = size): PooledBuffer | undefined {
    const least = this.#bySize.get(size)?.length || most === size
      ? size
      : this.#sizeWithin(size, most);
    const pooled = this.#bySize.get(least)?.pop();
    if (pooled) this.#forget(pooled);
    return pooled;
  }

  /** Takes out this very buffer; false where it is not here. */
  remove(pooled: PooledBuffer): boolean {
    if (!this.#byAge.has(pooled)) return false;
    const list = this.#bySize.get(pooled.size)!;
    list.splice(list.indexOf(pooled), 1);
    this.#forget(pooled);
    return true;
  }

  /** The least size of a buffer here that is above `size` and not above `most`; else Infinity. */
  #sizeWithin(size: number, most: number): number {
    let least = Infinity;
    for (const [each, list] of this.#bySize) {
      if (list.length > 0 && each > size && each <= most) least = Math.min(least, each);
    }
    return least;
  }

  #forget(pooled: PooledBuffer): void {
    this.#byAge.delete(pooled);
    this.#bytes -= pooled.size;
  }
}
