/** What `coda doctor` finds on a machine. */
import { type AdapterReport, defineKernel, Gpu, gridFor, NoAdapterError } from "../gpu/mod.ts";
import { tune, type Tuning } from "../ops/mod.ts";
import { fromArray } from "../tensor/mod.ts";

/** The adapter, with what can be told of its driver. */
export interface AdapterFindings extends AdapterReport {
  /** The interface that it is reached by, for example "vulkan". */
  backend: string;
  /** The driver and its version; null where they cannot be told. */
  driver: string | null;
  /** Whether sums computed on it came back right. */
  computes: boolean;
  /** How products are cut on it; null where that could not be measured. */
  tuning: Tuning | null;
}

/** A machine's report. */
export interface Machine {
  /** Deno's version. */
  deno: string;
  /** V8's version. */
  v8: string;
  /** The operating system, its kernel's version and the processor's architecture. */
  os: string;
  /** Logical processors. */
  cpus: number;
  /** The adapter; null where there is none. */
  adapter: AdapterFindings | null;
  /** Whether the system offers no adapter at all; a broken one is a problem below. */
  lacksDriver: boolean;
  /** The version of sharp, which reads and writes images; null where it does not load. */
  sharp: string | null;
  /** What is wrong, each in one line with what to do. */
  problems: string[];
}

/** The flags for the permissions that {@link examine} needs and the process was not given. */
export async function missingPermissions(): Promise<string[]> {
  const missing: string[] = [];
  for (const name of ["read", "env", "sys", "ffi"] as const) {
    const { state, partial } = await Deno.permissions.query({ name });
    if (state !== "granted" && !partial) missing.push(`--allow-${name}`);
  }
  return missing;
}

/** How {@link examine} looks. */
export interface ExamineOptions {
  /** Whether it measures again how products are fastest. */
  tune?: boolean;
}

/** Looks at everything. What does not work goes into the report; nothing is thrown. */
export async function examine(options: ExamineOptions = {}): Promise<Machine> {
  const problems: string[] = [];
  const adapter = await examineAdapter(problems, options);
  return {
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    os: `${Deno.build.os} ${Deno.osRelease()} ${Deno.build.arch}`,
    cpus: navigator.hardwareConcurrency,
    adapter: adapter === "none" ? null : adapter,
    lacksDriver: adapter === "none",
    sharp: await loadSharp(problems),
    problems,
  };
}

async function examineAdapter(
  problems: string[],
  options: ExamineOptions,
): Promise<AdapterFindings | "none" | null> {
  const backend = chooseBackend();
  try {
    using gpu = await Gpu.create();
    const driver = await driverOf(gpu.adapter);
    const computes = await addsUp(gpu);
    if (!computes) problems.push("the adapter computes wrong sums: update its driver");
    const tuning = computes ? await tune(gpu, { again: options.tune }) : null;
    return { ...gpu.adapter, backend, driver, computes, tuning };
  } catch (error) {
    if (error instanceof NoAdapterError) return "none";
    problems.push(`the adapter does not work: ${firstLine(error)}; update its driver`);
    return null;
  }
}

/**
 * The interface to ask for adapters. The runtime reads the variable once in a process. On Linux it
 * is set to Vulkan, else a machine without a Vulkan driver would answer with its OpenGL one.
 */
function chooseBackend(): string {
  const variable = "DENO_WEBGPU_BACKEND";
  const asked = Deno.env.get(variable);
  if (asked) return asked;
  if (Deno.build.os === "darwin") return "metal";
  if (Deno.build.os === "windows") return "dx12 or vulkan";
  Deno.env.set(variable, "vulkan");
  return "vulkan";
}

/** Adds numbers on the adapter and looks at the sums: a driver can load and not work. */
async function addsUp(gpu: Gpu): Promise<boolean> {
  const size = 1000;
  const count = (step: number) => Array.from({ length: size }, (_, i) => i * step);
  using x = fromArray(gpu, count(1), [size]);
  using y = fromArray(gpu, count(0.5), [size]);
  gpu.run(defineKernel("accumulate"), "add", {
    bind: { x: x.storage, y: y.storage },
    params: { size },
    grid: gridFor(size, 64),
  });
  const sums = await y.readF32();
  return sums.every((sum, i) => sum === i * 1.5);
}

const NVIDIA = String(0x10de);

/** The driver's name and version on Linux, from where each driver keeps them. */
async function driverOf(adapter: AdapterReport): Promise<string | null> {
  if (Deno.build.os !== "linux") return null;
  try {
    if (adapter.vendor === NVIDIA) {
      const text = await Deno.readTextFile("/proc/driver/nvidia/version");
      return text.split("\n")[0].replace(/^NVRM version:\s*/, "").replace(/\s+/g, " ");
    }
    const { state } = await Deno.permissions.query({ name: "run", command: "dpkg-query" });
    return state === "granted" ? await debianPackage("mesa-vulkan-drivers") : null;
  } catch {
    return null; // another distribution, or a driver that keeps its version elsewhere
  }
}

async function debianPackage(name: string): Promise<string | null> {
  const query = new Deno.Command("dpkg-query", {
    args: ["--show", "--showformat=${db:Status-Abbrev}${Version}", name],
    stdin: "null",
    stderr: "null",
  });
  const { success, stdout } = await query.output();
  const [status, version] = new TextDecoder().decode(stdout).trim().split(/\s+/);
  return success && status === "ii" ? `${name} ${version}` : null;
}

async function loadSharp(problems: string[]): Promise<string | null> {
  try {
    return (await import("sharp")).default.versions.sharp ?? "of unknown version";
  } catch (error) {
    problems.push(
      `sharp, which reads and writes images, does not load: ${firstLine(error)}; ` +
        "run `deno cache --reload npm:sharp`",
    );
    return null;
  }
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.trim().split("\n")[0];
}
