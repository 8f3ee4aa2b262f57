/** Time that one kernel entry took on the GPU. */
export interface ProfileRow {
  /** `kernel:entry`. */
  kernel: string;
  /** How many dispatches. */
  count: number;
  /** Their time together, in seconds. */
  seconds: number;
}

const CAPACITY = 128;

/** Measures dispatches by GPU timestamps, each in a pass of its own. */
export class Profiler implements Disposable {
  #device: GPUDevice;
  #queries: GPUQuerySet;
  #labels: string[] = [];
  #results: { labels: string[]; buffers: readonly [resolved: GPUBuffer, read: GPUBuffer] }[] = [];

  /** Needs a device with the "timestamp-query" feature. */
  constructor(device: GPUDevice) {
    this.#device = device;
    this.#queries = device.createQuerySet({ type: "timestamp", count: CAPACITY * 2 });
  }

  /** Whether the next dispatch needs a submit first. */
  get full(): boolean {
    return this.#labels.length === CAPACITY;
  }

  /** The timestamps to write around the next dispatch. */
  next(label: string): GPUComputePassTimestampWrites {
    const at = this.#labels.push(label) * 2 - 2;
    return {
      querySet: this.#queries,
      beginningOfPassWriteIndex: at,
      endOfPassWriteIndex: at + 1,
    };
  }

  /** Copies the timestamps gathered so far to where the host can read them; ends a submit. */
  resolve(encoder: GPUCommandEncoder): void {
    if (this.#labels.length === 0) return;
    const count = this.#labels.length * 2;
    const size = count * 8;
    const resolved = this.#device.createBuffer({ size, usage: 0x200 | 0x4 }); // QUERY_RESOLVE | COPY_SRC
    const buffer = this.#device.createBuffer({ size, usage: 0x1 | 0x8 }); // MAP_READ | COPY_DST
    encoder.resolveQuerySet(this.#queries, 0, count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, buffer, 0, size);
    this.#results.push({ labels: this.#labels, buffers: [resolved, buffer] });
    this.#labels = [];
  }

  /** The time per kernel entry, slowest first. */
  async rows(): Promise<ProfileRow[]> {
    const rows = new Map<string, ProfileRow>();
    for (const { labels, buffers: [, buffer] } of this.#results) {
      await buffer.mapAsync(1); // READ
      const times = new BigUint64Array(buffer.getMappedRange());
      labels.forEach((kernel, i) => {
        const row = rows.get(kernel) ?? { kernel, count: 0, seconds: 0 };
        row.count++;
        row.seconds += Number(times[2 * i + 1] - times[2 * i]) * 1e-9;
        rows.set(kernel, row);
      });
    }
    return [...rows.values()].sort((a, b) => b.seconds - a.seconds);
  }

  /** Frees what the measurement took on the GPU. */
  [Symbol.dispose](): void {
    for (const { buffers } of this.#results) buffers.forEach((buffer) => buffer.destroy());
    this.#queries.destroy();
  }
}
