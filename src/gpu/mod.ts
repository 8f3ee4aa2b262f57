/**
 * The GPU: adapter and device, pooled memory and scopes, kernels and their dispatch.
 *
 * @module
 */
export {
  type AdapterOptions,
  type AdapterReport,
  adapterReport,
  requestAdapter,
} from "./adapter.ts";
export {
  DeviceLostError,
  GpuError,
  KernelError,
  NoAdapterError,
  OutOfMemoryError,
} from "./errors.ts";
export { type Dispatch, Gpu, type GpuOptions } from "./gpu.ts";
export { type Binding, defineKernel, gridFor, type Kernel, type ParamField } from "./kernel.ts";
export type { KernelName } from "../../kernels/mod.ts";
export type { Bound } from "./pipelines.ts";
export type { MemoryUse, PooledBuffer, Storage, StorageOptions } from "./pool.ts";
export type { ProfileRow } from "./profiler.ts";
export type { RecordedWork } from "./recorder.ts";
export type { Recording } from "./recording.ts";
export type { Owned, Scope } from "./scope.ts";
