import {
  type AdapterOptions,
  type AdapterReport,
  adapterReport,
  largestBuffer,
  lowered,
  requestAdapter,
  requiredLimits,
} from "./adapter.ts";
import { CommandStream } from "./commands.ts";
import {
  DeviceLostError,
  fromGpuError,
  GpuError,
  KernelError,
  OutOfMemoryError,
} from "./errors.ts";
import type { Kernel } from "./kernel.ts";
import { type Bound, Pipelines } from "./pipelines.ts";
import { BufferPool, type MemoryUse, type Storage, type StorageOptions } from "./pool.ts";
import { Profiler, type ProfileRow } from "./profiler.ts";
import { type RecordedWork, Recorder } from "./recorder.ts";
import type { Recording } from "./recording.ts";
import { type Owned, type Scope, ScopeStack } from "./scope.ts";
import { UniformRing } from "./uniform_ring.ts";

/** One dispatch: what is bound, the parameters, and how many workgroups. */
export interface Dispatch {
  /**
   * The storages by the names that WGSL gives them. One that is undefined is not read: a constant or
   * parameter says so to the kernel.
   */
  bind: Bound;
  /** A number for each field of the kernel's `Params`. */
  params?: Record<string, number>;
  /** Values for the kernel's `override`s; each set of values is compiled once. */
  constants?: Record<string, number>;
  /** Workgroup counts. */
  grid: readonly [number, number, number];
}

/** How a device is made. */
export interface GpuOptions extends AdapterOptions {
  /**
   * Bytes of freed buffers that may wait for reuse; default `memoryBytes`, or without that 2 GiB, or what
   * tensors took at once where that is more. Beyond it the longest unused are destroyed.
   */
  poolBytes?: number;
  /**
   * Bytes that tensors' buffers may take: freed ones make room first, and work that can be done piece
   * by piece, as an autoencoder's on a large image, is cut to stay below. The default, twice the
   * adapter's largest buffer, since none tells how much memory it has, holds for such work alone.
   */
  memoryBytes?: number;
  /** Limits below the adapter's own, by their WebGPU names: to run as on a smaller one. */
  limits?: Readonly<Record<string, number>>;
}

/**
 * A WebGPU device with what tensors need: pooled memory counted in bytes, scopes that free it,
 * batched dispatches of named kernels, and readback.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [1, 2, 3], [3]);
 * console.log(await x.read());
 * ```
 */
export class Gpu implements Disposable {
  /** What the adapter says of itself. */
  readonly adapter: AdapterReport;
  /** Whether the adapter runs on the CPU, where other tile shapes are fast. */
  readonly isCpu: boolean;
  /** Bytes that buffers may take; see {@link GpuOptions.memoryBytes}. */
  readonly memoryBytes: number;
  /** The same where it was given: whatever the device does is to stay below. */
  readonly memoryLimit: number | undefined;
  #device: GPUDevice;
  #pool: BufferPool;
  #pipelines: Pipelines;
  #ring: UniformRing;
  #stream: CommandStream;
  #scopes = new ScopeStack();
  #recorder: Recorder;
  #error: Error | undefined;
  #destroyed = false;
  #dry: BufferPool | undefined; // where buffers are only counted

  private constructor(device: GPUDevice, adapter: AdapterReport, options: GpuOptions) {
    const { poolBytes, memoryBytes } = options;
    this.#device = device;
    this.adapter = adapter;
    this.isCpu = adapter.isCpu;
    this.memoryBytes = memoryBytes ?? 2 * adapter.limits.maxBufferSize;
    this.memoryLimit = memoryBytes;
    this.#ring = new UniformRing(device);
    this.#stream = new CommandStream(device, () => this.#ring.flush());
    this.#pipelines = new Pipelines(device, this.#ring.buffer, (label, error) => {
      if (this.#error instanceof DeviceLostError) return;
      this.#error = new KernelError(`kernel ${label}: ${fromGpuError(error).message}`);
    });
    this.#pool = new BufferPool(device, {
      capacity: poolBytes ?? memoryBytes,
      most: memoryBytes ?? Infinity,
      largest: largestBuffer(adapter.limits),
      onDestroy: (id) => {
        this.submit(); // commands that were not sent yet may use the buffer
        this.#pipelines.forget(id);
      },
      onShort: () => this.#recorder.forget(),
    });
    this.#recorder = new Recorder(device, this.#pool, this.#pipelines, this.#stream);
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      this.#error ??= fromGpuError((event as GPUUncapturedErrorEvent).error);
    });
    device.lost.then(({ message }) => {
      if (!this.#destroyed) {
        this.#error = new DeviceLostError(`the GPU device was lost: ${message}`);
      }
    });
  }

  /**
   * Makes a device with the adapter's own limits and the optional features that it has.
   *
   * @throws {NoAdapterError} where there is no adapter.
   */
  static async create(options: GpuOptions = {}): Promise<Gpu> {
    const adapter = await requestAdapter(options);
    const found = adapterReport(adapter);
    const report = { ...found, limits: lowered(found.limits, options.limits ?? {}) };
    const device = await adapter.requestDevice({
      requiredFeatures: (["shader-f16", "timestamp-query"] as const).filter((feature) =>
        adapter.features.has(feature)
      ),
      requiredLimits: requiredLimits(report.limits),
    });
    return new Gpu(device, report, options);
  }

  /** Bytes of tensors and of buffers, now and at peak. */
  get memory(): MemoryUse {
    return this.#pool.memory;
  }

  /**
   * The most bytes that buffers would take for what `work` makes, beside what is there, found without
   * the GPU: nothing is dispatched, and what `work` keeps is of no use. Infinity where a tensor exceeds
   * what the adapter binds at once.
   *
   * @param options.room Where it is to be replayed, the recording's room (see {@link Gpu.record}): it keeps
   * what it frees.
   */
  measure(work: () => void, { room }: { room?: number } = {}): number {
    const outer = this.#dry;
    const dry = this.#dry = new BufferPool(NO_DEVICE, {
      capacity: 0,
      most: Infinity,
      largest: largestBuffer(this.adapter.limits),
      onDestroy: () => {},
      onShort: () => {},
    });
    if (room !== undefined) dry.beginRecording(room);
    try {
      using _scope = this.scope();
      work();
      return dry.memory.reservedPeak;
    } catch (error) {
      if (error instanceof OutOfMemoryError) return Infinity;
      throw error;
    } finally {
      this.#dry = outer;
    }
  }

  /** Starts a new measurement of the peaks of bytes. */
  resetPeak(): void {
    this.#pool.resetPeak();
  }

  /** Destroys the buffers that wait for reuse, those of recordings too: work is then recorded again. */
  trim(): void {
    this.submit();
    this.#pool.trim();
  }

  /** Opens a scope: what is made while it is innermost and not kept is freed when it ends. */
  scope(): Scope {
    return this.#scopes.open();
  }

  /** Hands something to the innermost scope. */
  track(owned: Owned): void {
    this.#scopes.track(owned);
  }

  /** Whether kernels can store floats in 16 bits here. */
  get hasHalf(): boolean {
    return this.#device.features.has("shader-f16");
  }

  /**
   * Bytes on the GPU with undefined contents; the caller releases them.
   *
   * @throws {GpuError} where they shall hold floats of 16 bits and the adapter has none.
   */
  allocate(byteLength: number, options: StorageOptions = {}): Storage {
    if (options.isHalf && !this.hasHalf) {
      throw new GpuError(
        `${this.adapter.description || "this adapter"} has no floats of 16 bits (feature ` +
          "shader-f16): do without half",
      );
    }
    return (this.#dry ?? this.#pool).allocate(byteLength, options);
  }

  /**
   * Bytes on the GPU that hold host data and are not written any more; the caller releases them. Work
   * that is recorded may make them, of data that is the same each time: its replays read them again.
   */
  constant(data: Float32Array | Uint32Array, options: StorageOptions = {}): Storage {
    const storage = (this.#dry ?? this.#pool).allocateApart(data.byteLength, options);
    this.#upload(storage, data);
    return storage;
  }

  /**
   * Copies host data into a storage, after everything dispatched before.
   *
   * @throws {GpuError} while work is recorded: a replay would not write again.
   */
  write(storage: Storage, data: Float32Array | Uint32Array): void {
    this.#recorder.refuse("written", UPLOAD_ADVICE);
    this.#upload(storage, data);
  }

  #upload(storage: Storage, data: Float32Array | Uint32Array): void {
    if (this.#dry || data.length === 0) return;
    this.submit(); // the queue would run the write before commands that were not sent yet
    this.#device.queue.writeBuffer(
      storage.buffer,
      storage.offset,
      data.buffer as ArrayBuffer,
      data.byteOffset,
      data.byteLength,
    );
  }

  /** Sets every byte to zero. */
  clear(storage: Storage): void {
    if (this.#dry) return;
    this.#stream.clear(storage, storage.byteLength);
    this.#recorder.current?.clear(storage);
  }

  /** Copies one storage to another of the same size. */
  copy(from: Storage, to: Storage): void {
    if (this.#dry) return;
    this.#stream.copy(from, to, from.byteLength);
    this.#recorder.current?.copy(from, to);
  }

  /**
   * Moves storages into one new buffer, in order, each to a multiple of `alignment` bytes, zeros
   * between them, and returns the whole of it for work on all of them at once. Whoever holds one of
   * them goes on as before; the whole lives as long as any of them.
   *
   * @throws {OutOfMemoryError} where one binding of the adapter cannot hold them all.
   * @throws {GpuError} while work is recorded.
   */
  join(storages: readonly Storage[], alignment: number): Storage {
    this.#recorder.refuse("joined", "do so before");
    const sizes = storages.map(({ byteLength }) => Math.ceil(byteLength / alignment) * alignment);
    const whole = this.allocate(sizes.reduce((sum, size) => sum + size, 0));
    this.clear(whole);
    let offset = 0;
    storages.forEach((storage, i) => {
      this.#stream.copy(storage, { buffer: whole.buffer, offset }, storage.byteLength);
      this.#pool.place(storage, whole, offset, sizes[i]);
      offset += sizes[i];
    });
    whole.release(); // its parts hold it
    return whole;
  }

  /**
   * Dispatches an entry point; it runs with its batch, at the latest when something is read.
   *
   * @throws {KernelError} where a binding, parameter or entry is missing.
   */
  run(kernel: Kernel, entry: string, dispatch: Dispatch): void {
    if (this.#dry) return;
    if (this.#error) throw this.#takeError();
    this.#stream.reserve();
    if (this.#ring.full) this.submit();
    const pipeline = this.#pipelines.get(kernel, entry, dispatch.constants, dispatch.bind);
    const [x, y, z] = dispatch.grid;
    if (Math.max(x, y, z) > this.#device.limits.maxComputeWorkgroupsPerDimension) {
      throw new KernelError(
        `kernel ${pipeline.label}: grid ${x}×${y}×${z} exceeds the adapter's limit`,
      );
    }
    const storages = this.#pipelines.storages(pipeline, dispatch.bind);
    const group = this.#pipelines.bind(pipeline, dispatch.bind, storages);
    const slot = this.#ring.push(pipeline.label, kernel.params, dispatch.params ?? {});
    this.#stream.dispatch(pipeline, group, this.#ring.offsets, slot, dispatch.grid);
    this.#recorder.current?.dispatch(pipeline, storages, this.#ring.at(slot), dispatch.grid);
  }

  /** The measurement under way of work that is to be replayed, where there is one. */
  get recordedMeasurement(): object | undefined {
    return this.#dry?.isRecording ? this.#dry : undefined;
  }

  /** The recording under way, where there is one. */
  get currentRecording(): object | undefined {
    return this.#recorder.current;
  }

  /** Whether work can be recorded or replayed now: not within other work that is, or is measured. */
  get canRecord(): boolean {
    return !this.#recorder.current && !this.#dry;
  }

  /**
   * Runs work and keeps its commands for {@link Gpu.replay}; {@link Replays} of the tensor library is
   * built on it. Work that uploads or reads, or that does another thing next time, cannot be replayed.
   *
   * @param inputs What the work is given copies of.
   * @param work Takes over a reference to each copy, and hands over one to each output.
   * @param room How many times as large as asked for a buffer may be that the recording freed and uses
   * again. It keeps all of its buffers: with 1, a buffer serves sizes like its own alone.
   * @throws {GpuError} where the work uploads, reads, or records.
   */
  record(
    inputs: readonly Storage[],
    work: (inputs: readonly Storage[]) => readonly Storage[],
    room: number = 1,
  ): RecordedWork {
    return this.#recorder.record(inputs, work, room);
  }

  /**
   * Gives the commands of a recording again, for other inputs of the same sizes.
   *
   * @throws {GpuError} where the recording is not to be replayed any more.
   * @throws {TypeError} where the inputs are not as many, or not of the sizes.
   */
  replay(recording: Recording, inputs: readonly Storage[]): void {
    if (this.#error) throw this.#takeError();
    this.#recorder.replay(recording, inputs);
  }

  /**
   * Copies what a replay put out; before the replay of another recording, which may use its buffers.
   *
   * @throws {GpuError} where the recording was forgotten since: `into` is to be allocated before the replay.
   */
  takeOutputs(recording: Recording, into: readonly Storage[]): void {
    if (!recording.isCurrent) {
      throw new GpuError(
        "the recording was forgotten, its outputs with it: allocate before a replay",
      );
    }
    into.forEach((output, i) => this.#stream.copy(recording.outputs[i], output, output.byteLength));
  }

  /** Sends all commands so far to the GPU without waiting for it. */
  submit(): void {
    this.#stream.submit();
  }

  /**
   * Reads a storage as it is after everything dispatched before this call.
   *
   * @throws {GpuError} while work is recorded: nobody would read after a replay.
   */
  async read(storage: Storage): Promise<ArrayBuffer> {
    this.#recorder.refuse("read", "read what the work returns");
    const { buffer, offset } = storage;
    const size = Math.ceil(storage.byteLength / 4) * 4;
    const staging = this.#device.createBuffer({ size: Math.max(size, 4), usage: 0x1 | 0x8 }); // MAP_READ | COPY_DST
    if (size > 0) this.#stream.copy({ buffer, offset }, { buffer: staging, offset: 0 }, size);
    this.submit();
    try {
      await staging.mapAsync(1); // READ
      this.#stream.waited();
      if (this.#error) throw this.#takeError();
      return staging.getMappedRange().slice(0, storage.byteLength);
    } catch (error) {
      throw this.#error ? this.#takeError() : error;
    } finally {
      staging.destroy();
    }
  }

  /**
   * Waits until the GPU has done everything so far.
   *
   * @throws {GpuError} the first error that the device reported since the last wait.
   */
  async sync(): Promise<void> {
    this.submit();
    await this.#device.queue.onSubmittedWorkDone();
    this.#stream.waited();
    if (this.#error) throw this.#takeError();
  }

  /**
   * Runs `work` and measures each of its dispatches by GPU timestamps, slowest kernel first.
   *
   * @throws {GpuError} where the adapter has no timestamps.
   */
  async profile(work: () => void | Promise<void>): Promise<ProfileRow[]> {
    if (!this.#device.features.has("timestamp-query")) {
      throw new GpuError("this adapter has no timestamps (feature timestamp-query)");
    }
    this.submit();
    using profiler = new Profiler(this.#device);
    this.#stream.profiler = profiler;
    try {
      await work();
      await this.sync();
    } finally {
      this.#stream.profiler = undefined;
    }
    return await profiler.rows();
  }

  /** Destroys the device and all its memory. */
  [Symbol.dispose](): void {
    this.#destroyed = true;
    this.#device.destroy();
  }

  #takeError(): Error {
    const error = this.#error!;
    if (!(error instanceof DeviceLostError)) this.#error = undefined;
    return error;
  }
}

/** What {@link Gpu.measure} makes buffers with. */
const NO_DEVICE = { createBuffer: () => ({ destroy() {} }) as GPUBuffer };

const UPLOAD_ADVICE = "make what changes from call to call an input of it, " +
  "and what never changes by gpu.constant or constants";
