import { NoAdapterError } from "./errors.ts";

/** How to ask for an adapter. */
export interface AdapterOptions {
  /** Which of several GPUs is wanted; the default prefers the fast one. */
  powerPreference?: "low-power" | "high-performance";
}

/** What an adapter says of itself, in the words that `doctor` and the benches print. */
export interface AdapterReport {
  /** The adapter's description, for example "llvmpipe (LLVM 15.0.6, 256 bits)". */
  description: string;
  /** The vendor as the driver gives it. */
  vendor: string;
  /** Whether the adapter runs on the CPU. */
  isCpu: boolean;
  /** The adapter's features, sorted. */
  features: string[];
  /** The adapter's limits by their WebGPU names. */
  limits: Record<string, number>;
}

const SOFTWARE = /llvmpipe|lavapipe|swiftshader|warp|software/i;

/** Whether an adapter computes on the CPU: it says so itself, or its driver's name does. */
function isCpuAdapter(adapter: GPUAdapter): boolean {
  return adapter.info.isFallbackAdapter || SOFTWARE.test(adapter.info.description);
}

/** Describes an adapter. Pure: asks the adapter for nothing but its own fields. */
export function adapterReport(adapter: GPUAdapter): AdapterReport {
  const limits: Record<string, number> = {};
  for (const name in adapter.limits) {
    const value: unknown = Reflect.get(adapter.limits, name);
    if (typeof value === "number") limits[name] = value;
  }
  return {
    description: adapter.info.description,
    vendor: adapter.info.vendor,
    isCpu: isCpuAdapter(adapter),
    features: [...adapter.features].sort(),
    limits,
  };
}

/**
 * The machine's WebGPU adapter.
 *
 * @throws {NoAdapterError} where there is no WebGPU or no adapter; the message says what to do.
 */
export async function requestAdapter(options: AdapterOptions = {}): Promise<GPUAdapter> {
  if (!("gpu" in navigator)) {
    throw new NoAdapterError(
      "this runtime has no WebGPU: use Deno 2.9 or newer, or a browser that has it",
    );
  }
  await setOnLinux("DENO_WEBGPU_BACKEND", "vulkan");
  await setOnLinux("XDG_RUNTIME_DIR", "/tmp");
  const adapter = await navigator.gpu.requestAdapter({
    powerPreference: options.powerPreference ?? "high-performance",
  });
  if (!adapter) {
    throw new NoAdapterError(
      "no WebGPU adapter was found: install a Vulkan driver (Debian: apt-get install mesa-vulkan-drivers), " +
        "or run `coda doctor --install`",
    );
  }
  return adapter;
}

/**
 * Sets an environment variable on Linux where it is unset and may be set. The backend keeps Deno from
 * falling back to OpenGL, where a driver of the same name has fewer features; the folder keeps the
 * OpenGL loader, which is asked all the same, from writing errors to the terminal.
 */
async function setOnLinux(variable: string, value: string): Promise<void> {
  if (!("Deno" in globalThis) || Deno.build.os !== "linux") return;
  const { state } = await Deno.permissions.query({ name: "env", variable });
  if (state === "granted" && Deno.env.get(variable) === undefined) Deno.env.set(variable, value);
}

/** The adapter's limits, lower where `wanted` is. */
export function lowered(
  limits: Readonly<Record<string, number>>,
  wanted: Readonly<Record<string, number>>,
): Record<string, number> {
  const entries = Object.entries(limits);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, Math.min(value, wanted[name] ?? value)]),
  );
}

/** The bytes of the largest buffer that an adapter binds. */
export function largestBuffer(limits: Readonly<Record<string, number>>): number {
  return Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
}

/** The limits a tensor library lives on, as large as the adapter has them. */
export function requiredLimits(limits: Record<string, number>): Record<string, number> {
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
