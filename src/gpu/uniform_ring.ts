import { KernelError } from "./errors.ts";
import type { ParamField } from "./kernel.ts";
import { UNIFORM_SIZE } from "./pipelines.ts";

const SLOTS = 256;

/** Bytes from one dispatch's parameters to the next one's. */
export function uniformStride(device: GPUDevice): number {
  const alignment = device.limits.minUniformBufferOffsetAlignment;
  return Math.ceil(UNIFORM_SIZE / alignment) * alignment;
}

/**
 * The parameters of all dispatches of a submit: gathered on the host, written to the GPU once.
 * The queue runs that write after the submit before it, so the ring may start over each time.
 */
export class UniformRing {
  /** The uniform buffer that bind groups hold. */
  readonly buffer: GPUBuffer;
  #device: GPUDevice;
  #stride: number;
  #bytes: ArrayBuffer;
  #view: DataView;
  #used = 0;

  /** Makes the ring's buffer. */
  constructor(device: GPUDevice) {
    this.#device = device;
    this.#stride = uniformStride(device);
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

  /** Stores one dispatch's parameters and returns their dynamic offset. */
  push(label: string, fields: readonly ParamField[], params: Record<string, number>): number {
    const offset = this.#used++ * this.#stride;
    let at = offset;
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
    return offset;
  }

  /** A copy of the parameters that were stored at an offset last. */
  at(offset: number): Uint8Array {
    return new Uint8Array(this.#bytes.slice(offset, offset + UNIFORM_SIZE));
  }

  /** Writes what was gathered; called just before the commands that read it are submitted. */
  flush(): void {
    if (this.#used === 0) return;
    this.#device.queue.writeBuffer(this.buffer, 0, this.#bytes, 0, this.#used * this.#stride);
    this.#used = 0;
  }
}
