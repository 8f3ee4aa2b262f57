import type { Pipeline } from "./pipelines.ts";
import type { Profiler } from "./profiler.ts";

/** Dispatches per submit: enough to hide a submit's cost, few enough that the GPU starts early. */
const BATCH = 48;

/** The same where dispatches come fast. */
export const REPLAYED_BATCH = 192;

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
  #offset = new Uint32Array(1);

  /** `onSubmit` is called just before commands are sent. */
  constructor(device: GPUDevice, onSubmit: () => void) {
    this.#device = device;
    this.#onSubmit = onSubmit;
  }

  /** Makes room for a dispatch: sends what there is once it is enough for a submit. */
  reserve(batch: number = BATCH): void {
    if (this.#pending >= batch || this.profiler?.full) this.submit();
  }

  /** A dispatch whose parameters are `offset` bytes into the uniform buffer of `group`. */
  dispatch(
    pipeline: Pipeline,
    group: GPUBindGroup,
    offset: number,
    [x, y, z]: readonly [number, number, number],
  ): void {
    const pass = this.#beginPass(pipeline.label);
    this.#offset[0] = offset; // an array of numbers would take twice the time of all three calls
    pass.setPipeline(pipeline.pipeline);
    pass.setBindGroup(0, group, this.#offset, 0, 1);
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
    this.#pending = 0;
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
