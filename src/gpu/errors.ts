/** The base of every error that the GPU layer throws. */
export class GpuError extends Error {
  /** The class's own name, so that printed errors say what they are. */
  override name: string = "GpuError";
}

/** No WebGPU adapter could be had, or WebGPU itself is missing. `coda doctor` says what to do. */
export class NoAdapterError extends GpuError {
  /** The class's own name. */
  override name: string = "NoAdapterError";
}

/** A kernel did not compile, was bound wrongly, or failed validation; the message names it. */
export class KernelError extends GpuError {
  /** The class's own name. */
  override name: string = "KernelError";
}

/** The GPU, or the limit of one of its buffers, is too small for what was asked. */
export class OutOfMemoryError extends GpuError {
  /** The class's own name. */
  override name: string = "OutOfMemoryError";
}

/** The device is gone: the driver reset it, or it was destroyed. */
export class DeviceLostError extends GpuError {
  /** The class's own name. */
  override name: string = "DeviceLostError";
}

/** One of these errors for what the device reports. */
export function fromGpuError(error: globalThis.GPUError): Error {
  const message = error.message.split("\n").map((line) => line.trim()).filter(Boolean).join(" · ");
  if (error instanceof GPUOutOfMemoryError) {
    return new OutOfMemoryError(`the GPU is out of memory: ${message}`);
  }
  if (error instanceof GPUValidationError) return new KernelError(message);
  return new GpuError(message);
}
