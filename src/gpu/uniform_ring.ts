import { KernelError } from "./errors.ts";
import type { ParamField } from "./kernel.ts";
import { UNIFORM_SIZE } from "./pipelines.ts";

const SLOTS = 256;

/** Bytes from one dispatch's parameters to the next one's. */
export function uniformStride(device: GPUDevice): number {
  const alignment = device.limits.minUniformBufferOffsetAlignment;
  return Math.ceil(UNIFORM_SIZE / alignment) * alignment;
}

/** Where the parameters of each of `count` dispatches begin. */
export function uniformOffsets(count: number, stride: number): Uint32Array<ArrayBuffer> {
  return Uint32Array.from({ length: count }, (_, i) => i * stride);
}

/**
 * The parameters of all dispatches of a submit: gathered on the host, written to the GPU once.
 * The queue runs that write after the submit before it, so the ring may start over each time.
 */
export class UniformRing {
  /** The uniform buffer that bind groups hold. */
  readonly buffer: GPUBuffer;
  /** The dynamic offset of each slot. */
  readonly offsets: Uint32Array<ArrayBuffer>;
  #device: GPUDevice;
  #stride: number;
  #bytes: ArrayBuffer;
  #view: DataView;
  #used = 0;

  /** Makes the ring's buffer. */
  constructor(device: GPUDevice) {
    this.#device = device;
    this.#stride = uniformStride(device);
    this.offsets = uniformOffsets(SLOTS, this.#stride);
    this.#bytes = new ArrayBuffer(this.#stride * SLOTS);
    this.#view = new DataView(this.#bytes);
    this.buffer = device.createBuffer({
      label: "uniform ring",
      size: this.#bytes.byteLength,
      usage: 0x40 | 0x8, // UNIFORM | COPY_DST
    });
  }

  /** Whether the next dispatch needs a submit first. */
  get full(): boolean {
    return this.#used === SLOTS;
  }

  /** Stores one dispatch's parameters and returns their slot. */
  push(label: string, fields: readonly ParamField[], params: Record<string, number>): number {
    const slot = this.#used++;
    let at = this.offsets[slot];
    for (const { name, type } of fields) {
      const value = params[name];
      if (value === undefined) {
        throw new KernelError(`kernel ${label}: parameter "${name}" is missing`);
      }
      if (type === "f32") this.#view.setFloat32(at, value, true);
      else if (type === "i32") this.#view.setInt32(at, value, true);
      else this.#view.setUint32(at, value, true);
      at += 4;
    }
    return slot;
  }

  /** A copy of the parameters that were stored in a slot last. */
  at(slot: number): Uint8Array {
    const offset = this.offsets[slot];
    return new Uint8Array(this.#bytes.slice(offset, offset + UNIFORM_SIZE));
  }

  /** Writes what was gathered; called just before the commands that read it are submitted. */
  flush(): void {
    if (this.#used === 0) return;
    this.#device.queue.writeBuffer(this.buffer, 0, this.#bytes, 0, this.#used * this.#stride);
    this.#used = 0;
  }
}
