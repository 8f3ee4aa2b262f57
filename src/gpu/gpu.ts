import {
  type AdapterOptions,
  type AdapterReport,
  adapterReport,
  requestAdapter,
} from "./adapter.ts";
import { DeviceLostError, GpuError, KernelError, OutOfMemoryError } from "./errors.ts";
import type { Kernel } from "./kernel.ts";
import { Pipelines } from "./pipelines.ts";
import { BufferPool, type MemoryUse, type Storage } from "./pool.ts";
import { Profiler, type ProfileRow } from "./profiler.ts";
import { type Owned, type Scope, ScopeStack } from "./scope.ts";
import { UniformRing } from "./uniform_ring.ts";

/** One dispatch: what is bound, the parameters, and how many workgroups. */
export interface Dispatch {
  /** The storages by the names that WGSL gives them. */
  bind: Record<string, Storage>;
  /** A number for each field of the kernel's `Params`. */
  params?: Record<string, number>;
  /** Values for the kernel's `override`s; each set of values is compiled once. */
  constants?: Record<string, number>;
  /** Workgroup counts. */
  grid: readonly [number, number, number];
}

/** How a device is made. */
export interface GpuOptions extends AdapterOptions {
  /** Bytes of freed buffers that may wait for reuse; default 2 GiB. */
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

/** Dispatches per submit: enough to hide a submit's cost, few enough that the GPU starts early. */
const BATCH = 48;

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
  #device: GPUDevice;
  #pool: BufferPool;
  #pipelines: Pipelines;
  #ring: UniformRing;
  #scopes = new ScopeStack();
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #pending = 0;
  #profiler: Profiler | undefined;
  #error: Error | undefined;
  #destroyed = false;
  #dry: BufferPool | undefined; // where buffers are only counted

  private constructor(device: GPUDevice, adapter: AdapterReport, options: GpuOptions) {
    const { poolBytes = 2 ** 31, memoryBytes } = options;
    this.#device = device;
    this.adapter = adapter;
    this.isCpu = adapter.isCpu;
    this.memoryBytes = memoryBytes ?? 2 * adapter.limits.maxBufferSize;
    this.#ring = new UniformRing(device);
    this.#pipelines = new Pipelines(device, this.#ring.buffer, (label, error) => {
      if (this.#error instanceof DeviceLostError) return;
      this.#error = new KernelError(`kernel ${label}: ${fromGpuError(error).message}`);
    });
    this.#pool = new BufferPool(device, {
      capacity: poolBytes,
      most: memoryBytes ?? Infinity,
      largest: largestBuffer(adapter.limits),
      onDestroy: (id) => {
        this.submit(); // commands still being recorded may use the buffer
        this.#pipelines.forget(id);
      },
    });
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
   */
  measure(work: () => void): number {
    const outer = this.#dry;
    const dry = this.#dry = new BufferPool(NO_DEVICE, {
      capacity: 0,
      most: Infinity,
      largest: largestBuffer(this.adapter.limits),
      onDestroy: () => {},
    });
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

  /** Destroys the buffers that wait for reuse. */
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

  /** Bytes on the GPU with undefined contents; the caller releases them. */
  allocate(byteLength: number): Storage {
    return (this.#dry ?? this.#pool).allocate(byteLength);
  }

  /** Copies host data into a storage, after everything dispatched before. */
  write(storage: Storage, data: Float32Array | Uint32Array): void {
    if (this.#dry) return;
    this.submit(); // the queue would run the write before commands that are still being recorded
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
    this.#encode().clearBuffer(storage.buffer, storage.offset, storage.byteLength);
  }

  /** Copies one storage to another of the same size. */
  copy(from: Storage, to: Storage): void {
    if (this.#dry) return;
    const { byteLength } = from;
    this.#encode().copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, byteLength);
  }

  /**
   * Moves storages into one new buffer, in order, each to a multiple of `alignment` bytes, zeros
   * between them, and returns the whole of it for work on all of them at once. Whoever holds one of
   * them goes on as before; the whole lives as long as any of them.
   *
   * @throws {OutOfMemoryError} where one binding of the adapter cannot hold them all.
   */
  join(storages: readonly Storage[], alignment: number): Storage {
    const sizes = storages.map(({ byteLength }) => Math.ceil(byteLength / alignment) * alignment);
    const whole = this.allocate(sizes.reduce((sum, size) => sum + size, 0));
    this.clear(whole);
    let offset = 0;
    storages.forEach((storage, i) => {
      this.#encode().copyBufferToBuffer(
        storage.buffer,
        storage.offset,
        whole.buffer,
        offset,
        storage.byteLength,
      );
      this.#pool.place(storage, whole, offset, sizes[i]);
      offset += sizes[i];
    });
    whole.release(); // its parts hold it
    return whole;
  }

  /**
   * Records a dispatch of an entry point; it runs with its batch, at the latest when something is read.
   *
   * @throws {KernelError} where a binding, parameter or entry is missing.
   */
  run(kernel: Kernel, entry: string, dispatch: Dispatch): void {
    if (this.#dry) return;
    if (this.#error) throw this.#takeError();
    if (this.#pending >= BATCH || this.#ring.full || this.#profiler?.full) this.submit();
    const pipeline = this.#pipelines.get(kernel, entry, dispatch.constants);
    const [x, y, z] = dispatch.grid;
    if (Math.max(x, y, z) > this.#device.limits.maxComputeWorkgroupsPerDimension) {
      throw new KernelError(
        `kernel ${pipeline.label}: grid ${x}×${y}×${z} exceeds the adapter's limit`,
      );
    }
    const group = this.#pipelines.bind(pipeline, dispatch.bind);
    const offset = this.#ring.push(pipeline.label, kernel.params, dispatch.params ?? {});
    const pass = this.#beginPass(pipeline.label);
    pass.setPipeline(pipeline.pipeline);
    pass.setBindGroup(0, group, [offset]);
    pass.dispatchWorkgroups(x, y, z);
    if (this.#profiler) this.#endPass();
    this.#pending++;
  }

  /** Sends what was recorded to the GPU without waiting for it. */
  submit(): void {
    if (!this.#encoder) return;
    this.#endPass();
    this.#profiler?.resolve(this.#encoder);
    this.#ring.flush();
    this.#device.queue.submit([this.#encoder.finish()]);
    this.#encoder = undefined;
    this.#pending = 0;
  }

  /** Reads a storage as it is after everything dispatched before this call. */
  async read(storage: Storage): Promise<ArrayBuffer> {
    const source = storage.buffer;
    const size = Math.ceil(storage.byteLength / 4) * 4;
    const staging = this.#device.createBuffer({ size: Math.max(size, 4), usage: 0x1 | 0x8 }); // MAP_READ | COPY_DST
    if (size > 0) this.#encode().copyBufferToBuffer(source, storage.offset, staging, 0, size);
    this.submit();
    try {
      await staging.mapAsync(1); // READ
      if (this.#error) throw this.#takeError();
      return staging.getMappedRange().slice(0, storage.byteLength);
    } catch (error) {
      throw this.#error ? this.#takeError() : error;
    } finally {
      staging.destroy();
    }
  }

  /**
   * Waits until the GPU has done everything recorded so far.
   *
   * @throws {GpuError} the first error that the device reported since the last wait.
   */
  async sync(): Promise<void> {
    this.submit();
    await this.#device.queue.onSubmittedWorkDone();
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
    this.#profiler = profiler;
    try {
      await work();
      await this.sync();
    } finally {
      this.#profiler = undefined;
    }
    return await profiler.rows();
  }

  /** Destroys the device and all its memory. */
  [Symbol.dispose](): void {
    this.#destroyed = true;
    this.#device.destroy();
  }

  #encode(): GPUCommandEncoder {
    this.#endPass();
    return this.#encoder ??= this.#device.createCommandEncoder();
  }

  #beginPass(label: string): GPUComputePassEncoder {
    if (this.#pass) return this.#pass;
    this.#encoder ??= this.#device.createCommandEncoder();
    const timestampWrites = this.#profiler?.next(label);
    return this.#pass = this.#encoder.beginComputePass({ timestampWrites });
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }

  #takeError(): Error {
    const error = this.#error!;
    if (!(error instanceof DeviceLostError)) this.#error = undefined;
    return error;
  }
}

/** What {@link Gpu.measure} makes buffers with. */
const NO_DEVICE = { createBuffer: () => ({ destroy() {} }) as GPUBuffer };

/** The adapter's limits, lower where `wanted` is. */
function lowered(
  limits: Readonly<Record<string, number>>,
  wanted: Readonly<Record<string, number>>,
): Record<string, number> {
  const entries = Object.entries(limits);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, Math.min(value, wanted[name] ?? value)]),
  );
}

function largestBuffer(limits: Readonly<Record<string, number>>): number {
  return Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
}

/** The limits a tensor library lives on, as large as the adapter has them. */
function requiredLimits(limits: Record<string, number>): Record<string, number> {
  const names = [
    "maxStorageBufferBindingSize",
    "maxBufferSize",
    "maxStorageBuffersPerShaderStage",
    "maxComputeWorkgroupStorageSize",
    "maxComputeInvocationsPerWorkgroup",
    "maxComputeWorkgroupSizeX",
    "minUniformBufferOffsetAlignment",
  ];
  return Object.fromEntries(names.map((name) => [name, limits[name]]));
}

function fromGpuError(error: globalThis.GPUError): Error {
  const message = error.message.split("\n").map((line) => line.trim()).filter(Boolean).join(" · ");
  if (error instanceof GPUOutOfMemoryError) {
    return new OutOfMemoryError(`the GPU is out of memory: ${message}`);
  }
  if (error instanceof GPUValidationError) return new KernelError(message);
  return new GpuError(message);
}
