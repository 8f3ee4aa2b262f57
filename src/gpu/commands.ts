import type { Pipeline } from "./pipelines.ts";
import type { Profiler } from "./profiler.ts";

/** Dispatches per submit: enough to hide a submit's cost, few enough that the GPU starts early. */
const BATCH = 48;

/**
 * The same of replays, whose dispatches come fast: a submit takes the host as long as some fifty of them.
 * Only where the GPU has nothing to do are there fewer, for it to start within a millisecond.
 */
const REPLAYED = { first: 384, most: 2048 };

/** Where bytes begin: a storage's, or those of a buffer as a whole. */
export interface Place {
  /** The buffer. */
  readonly buffer: GPUBuffer;
  /** The first byte. */
  readonly offset: number;
}

/** Gathers commands into submits, dispatches into passes. */
export class CommandStream {
  /** Where dispatches are measured, each in a pass of its own. */
  profiler: Profiler | undefined;
  #device: GPUDevice;
  #onSubmit: () => void;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #pending = 0;
  #sent = 0; // since the host last waited

  /** `onSubmit` is called just before commands are sent. */
  constructor(device: GPUDevice, onSubmit: () => void) {
    this.#device = device;
    this.#onSubmit = onSubmit;
  }

  /** Makes room for a dispatch: sends what there is once it is enough for a submit. */
  reserve(): void {
    this.#reserve(BATCH);
  }

  /** The same for a dispatch of a replay. */
  reserveReplayed(): void {
    this.#reserve(this.#sent < REPLAYED.first ? REPLAYED.first : REPLAYED.most);
  }

  /** Hears that the host waited for the GPU, which may have nothing to do now. */
  waited(): void {
    this.#sent = 0;
  }

  /**
   * A dispatch whose parameters are `offsets[at]` bytes into the uniform buffer of `group`. Of the ways
   * to give an offset a table is the fastest: an array of one number takes four times as long.
   */
  dispatch(
    pipeline: Pipeline,
    group: GPUBindGroup,
    offsets: Uint32Array<ArrayBuffer>,
    at: number,
    [x, y, z]: readonly [number, number, number],
  ): void {
    const pass = this.#beginPass(pipeline.label);
    pass.setPipeline(pipeline.pipeline);
    pass.setBindGroup(0, group, offsets, at, 1);
    pass.dispatchWorkgroups(x, y, z);
    if (this.profiler) this.#endPass();
    this.#pending++;
  }

  /** Copies bytes. */
  copy(from: Place, to: Place, size: number): void {
    this.#encode().copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, size);
  }

  /** Sets bytes to zero. */
  clear({ buffer, offset }: Place, size: number): void {
    this.#encode().clearBuffer(buffer, offset, size);
  }

  /** Sends what was gathered to the GPU without waiting for it. */
  submit(): void {
    if (!this.#encoder) return;
    this.#endPass();
    this.profiler?.resolve(this.#encoder);
    this.#onSubmit();
    this.#device.queue.submit([this.#encoder.finish()]);
    this.#encoder = undefined;
    this.#sent += this.#pending;
    this.#pending = 0;
  }

  #reserve(batch: number): void {
    if (this.#pending >= batch || this.profiler?.full) this.submit();
  }

  #encode(): GPUCommandEncoder {
    this.#endPass();
    return this.#encoder ??= this.#device.createCommandEncoder();
  }

  #beginPass(label: string): GPUComputePassEncoder {
    if (this.#pass) return this.#pass;
    this.#encoder ??= this.#device.createCommandEncoder();
    const timestampWrites = this.profiler?.next(label);
    return this.#pass = this.#encoder.beginComputePass({ timestampWrites });
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }
}
