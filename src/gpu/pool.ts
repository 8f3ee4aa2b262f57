import { GpuError, OutOfMemoryError } from "./errors.ts";
import { FreeList } from "./free_list.ts";

/** GPU memory in bytes. */
export interface MemoryUse {
  /** Bytes that tensors hold now (as asked for, not as rounded up). */
  live: number;
  /** The largest `live` so far, or since `resetPeak`. */
  peak: number;
  /** Bytes of buffers that wait to be used again: all that `trim` would free. */
  pooled: number;
  /** Those of `pooled` that wait for the replay of a recording, and serve nothing else. */
  recorded: number;
  /** Bytes of all buffers: those of tensors as they were rounded up, and those that wait. */
  reserved: number;
  /** The largest `reserved` so far, or since `resetPeak`. */
  reservedPeak: number;
}

/** How a pool works. */
export interface PoolOptions {
  /** How many bytes may wait for reuse; default 2 GiB, or what was live at once where that is more. */
  capacity?: number;
  /** How many bytes buffers may take before those that wait make room for new ones. */
  most: number;
  /** The bytes of the largest buffer. */
  largest: number;
  /** Hears the id of each buffer that is dropped. */
  onDestroy: (id: number) => void;
  /** Is asked to forget all recordings, that of work under way too, where memory is short. */
  onShort: () => void;
}

/** What bytes on the GPU hold. */
export interface StorageOptions {
  /** Floats of 16 bits, which kernels read and write as such. */
  isHalf?: boolean;
}

/** A GPU buffer, or a part of one, with a number of its own, by which bind groups are cached. */
export interface PooledBuffer {
  /** A number that no other buffer or part of the device has or will have. */
  readonly id: number;
  /** The buffer. */
  readonly buffer: GPUBuffer;
  /** Where its bytes begin in the buffer: above 0 only for a part. */
  readonly offset: number;
  /** Its bytes. */
  readonly size: number;
}

/**
 * Bytes on the GPU, counted by reference: a tensor holds one reference, the autograd graph another
 * for what backward needs. With the last release the buffer returns to the pool.
 */
export class Storage {
  #references = 1;
  #pool: BufferPool;
  #pooled: PooledBuffer;
  #whole: Storage | undefined;
  /** The bytes asked for. */
  readonly byteLength: number;
  /** Whether they are floats of 16 bits: which variant of a kernel reads them follows from it. */
  readonly isHalf: boolean;

  /** Made by {@link BufferPool.allocate}. */
  constructor(pool: BufferPool, pooled: PooledBuffer, byteLength: number, isHalf: boolean) {
    this.#pool = pool;
    this.#pooled = pooled;
    this.byteLength = byteLength;
    this.isHalf = isHalf;
  }

  /** The buffer that holds the bytes; it may be larger than `byteLength`. */
  get pooled(): PooledBuffer {
    return this.#pooled;
  }

  /** The storage that these bytes are a part of; see {@link BufferPool.place}. */
  get whole(): Storage | undefined {
    return this.#whole;
  }

  /** How many holders there are; 0 once the bytes were given back. */
  get references(): number {
    return this.#references;
  }

  /** The buffer, for commands. @throws {GpuError} once the bytes were given back. */
  get buffer(): GPUBuffer {
    this.#expectHeld();
    return this.#pooled.buffer;
  }

  /** Where the bytes begin in the buffer. */
  get offset(): number {
    return this.#pooled.offset;
  }

  /** Adds a holder. @throws {GpuError} once the bytes were given back. */
  retain(): this {
    this.#expectHeld();
    this.#references++;
    return this;
  }

  /** Takes a holder away; the last one gives the buffer back. */
  release(): void {
    this.#expectHeld();
    if (--this.#references === 0) this.#pool.recycle(this);
  }

  /** The bytes lie elsewhere from now on; called by {@link BufferPool.place}. */
  move(whole: Storage, part: PooledBuffer): void {
    this.#whole = whole.retain();
    this.#pooled = part;
  }

  #expectHeld(): void {
    if (this.#references > 0) return;
    throw new GpuError(
      "the tensor was already freed: keep it with scope.keep, or do not use it after its scope",
    );
  }
}

const USAGE = 0x80 | 0x8 | 0x4; // STORAGE | COPY_DST | COPY_SRC

/**
 * Recycles GPU buffers by size class. WebGPU orders all work on one queue, so a buffer may be handed
 * out again before the dispatches that used it have run.
 *
 * Of the buffers that fit, the one with the lowest number is handed out. So work that repeats itself
 * gets the buffers that it had before, in whatever order it freed them, and finds its bind groups made.
 *
 * Buffers that a recording uses are kept from everything but recordings, which are replayed one after
 * another and share them: a replay may write them at any time.
 */
export class BufferPool {
  #device: Pick<GPUDevice, "createBuffer">;
  #options: PoolOptions;
  #waiting = new FreeList(); // for whatever comes
  #recorded = new FreeList(); // for recordings
  #recordings = new Map<PooledBuffer, number>(); // how many recordings use a buffer
  #recording: Set<PooledBuffer> | undefined;
  #room = 1; // how many times as large as asked for the recording's buffers may be
  #nextId = 1;
  #live = 0;
  #peak = 0;
  #mostLive = 0;
  #reserved = 0;
  #reservedPeak = 0;

  /** An empty pool of a device's buffers. */
  constructor(device: Pick<GPUDevice, "createBuffer">, options: PoolOptions) {
    this.#device = device;
    this.#options = options;
  }

  /** Bytes live, at peak, waiting, and of all buffers. */
  get memory(): MemoryUse {
    return {
      live: this.#live,
      peak: this.#peak,
      pooled: this.#waiting.bytes + this.#recorded.bytes,
      recorded: this.#recorded.bytes,
      reserved: this.#reserved,
      reservedPeak: this.#reservedPeak,
    };
  }

  /** How many bytes may wait: work that needs more at once would else make its buffers anew each time. */
  get capacity(): number {
    return this.#options.capacity ?? Math.max(2 ** 31, this.#mostLive);
  }

  /** Starts a new measurement of the peaks. */
  resetPeak(): void {
    this.#peak = this.#live;
    this.#reservedPeak = this.#reserved;
  }

  /**
   * Bytes on the GPU, contents undefined.
   *
   * @throws {OutOfMemoryError} where one binding of the adapter cannot hold that many bytes.
   */
  allocate(byteLength: number, options: StorageOptions = {}): Storage {
    return this.#allocate(byteLength, options, this.#recording);
  }

  /** The same, for bytes that are written once: what is being recorded uses them and does not own them. */
  allocateApart(byteLength: number, options: StorageOptions = {}): Storage {
    return this.#allocate(byteLength, options, undefined);
  }

  #allocate(
    byteLength: number,
    { isHalf = false }: StorageOptions,
    recording: Set<PooledBuffer> | undefined,
  ): Storage {
    const size = this.#sizeClass(byteLength);
    const recorded = recording && this.#recorded.take(size, this.#room * size);
    const pooled = recorded ?? this.#waiting.take(size) ?? this.#create(size);
    // Where memory was short, the recording was forgotten to make room.
    if (recording && recording === this.#recording) this.#keep(pooled, recording);
    this.#live += byteLength;
    this.#peak = Math.max(this.#peak, this.#live);
    this.#mostLive = Math.max(this.#mostLive, this.#live);
    return new Storage(this, pooled, byteLength, isHalf);
  }

  /** Takes a storage back; called by its last release. */
  recycle(storage: Storage): void {
    const { pooled, whole } = storage;
    if (whole) {
      this.#options.onDestroy(pooled.id);
      whole.release();
      return;
    }
    this.#live -= storage.byteLength;
    if (this.#recordings.has(pooled)) this.#recorded.put(pooled);
    else this.#wait(pooled);
  }

  /** Whatever is allocated until `endRecording` is added to the set that is returned, and kept. */
  beginRecording(room: number = 1): ReadonlySet<PooledBuffer> {
    this.#room = room;
    return this.#recording = new Set();
  }

  /** Whether what is allocated is a recording's. */
  get isRecording(): boolean {
    return this.#recording !== undefined;
  }

  /** Ends what `beginRecording` began. */
  endRecording(): void {
    this.#recording = undefined;
  }

  /** Keeps a recording's buffers no longer: those that no other recording uses serve whatever comes. */
  forgetRecording(buffers: ReadonlySet<PooledBuffer>): void {
    if (this.#recording === buffers) this.endRecording();
    for (const pooled of buffers) {
      const others = this.#recordings.get(pooled)! - 1;
      if (others > 0) {
        this.#recordings.set(pooled, others);
        continue;
      }
      this.#recordings.delete(pooled);
      if (this.#recorded.remove(pooled)) this.#wait(pooled);
    }
  }

  /**
   * Makes a storage a part of another, which lives as long as its parts; the place that it had goes
   * back to the pool. The bytes are the caller's to copy, before.
   */
  place(storage: Storage, whole: Storage, offset: number, size: number): void {
    this.recycle(storage);
    storage.move(whole, { id: this.#nextId++, buffer: whole.buffer, offset, size });
  }

  /** Destroys every waiting buffer, those of recordings too. */
  trim(): void {
    this.#options.onShort();
    this.#mostLive = this.#live;
    this.#shrink(0);
  }

  #keep(pooled: PooledBuffer, recording: Set<PooledBuffer>): void {
    if (recording.has(pooled)) return;
    recording.add(pooled);
    this.#recordings.set(pooled, (this.#recordings.get(pooled) ?? 0) + 1);
  }

  #wait(pooled: PooledBuffer): void {
    this.#waiting.put(pooled);
    this.#shrink(this.capacity);
  }

  /** Destroys the longest unused buffers that wait, until `most` bytes do. */
  #shrink(most: number): void {
    while (this.#waiting.bytes > most) {
      const pooled = this.#waiting.oldest!;
      this.#waiting.remove(pooled);
      this.#destroy(pooled);
    }
  }

  /** Sizes rise in eighths of a power of two, so at most an eighth of a buffer lies idle. */
  #sizeClass(byteLength: number): number {
    const limit = this.#options.largest;
    if (byteLength > limit) {
      throw new OutOfMemoryError(
        `a tensor of ${byteLength} bytes exceeds what this adapter binds at once (${limit} bytes): ` +
          "use a smaller image, batch or codebook",
      );
    }
    const step = Math.max(256, 2 ** (Math.floor(Math.log2(Math.max(byteLength, 1))) - 3));
    return Math.min(Math.max(256, Math.ceil(byteLength / step) * step), limit - (limit % 4));
  }

  #create(size: number): PooledBuffer {
    if (this.#reserved + size > this.#options.most) this.#makeRoom(size);
    const buffer = this.#device.createBuffer({ size, usage: USAGE });
    this.#reserved += size;
    this.#reservedPeak = Math.max(this.#reservedPeak, this.#reserved);
    return { id: this.#nextId++, buffer, offset: 0, size };
  }

  #makeRoom(size: number): void {
    const beyond = this.#reserved + size - this.#options.most;
    this.#shrink(Math.max(0, this.#waiting.bytes - beyond));
    if (this.#reserved + size > this.#options.most) this.trim();
  }

  #destroy(pooled: PooledBuffer): void {
    this.#reserved -= pooled.size;
    this.#options.onDestroy(pooled.id);
    pooled.buffer.destroy();
  }
}
