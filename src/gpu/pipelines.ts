import { KernelError } from "./errors.ts";
import { type Binding, halvedSource, type Kernel } from "./kernel.ts";
import type { PooledBuffer, Storage } from "./pool.ts";

/** A compiled entry point with what is needed to bind it. */
export interface Pipeline {
  /** `kernel:entry`, as errors and profiles show it. */
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  readonly bindings: readonly Binding[];
  readonly layout: GPUBindGroupLayout;
  readonly groups: Map<string, GPUBindGroup>;
}

/** What is bound to an entry point by WGSL name; undefined where it does not read that this time. */
export type Bound = Readonly<Record<string, Storage | undefined>>;

/** Where a bind group is cached, and the buffers that it holds. */
interface CachedGroup {
  groups: Map<string, GPUBindGroup>;
  key: string;
  buffers: readonly number[];
}

/** Compiles entry points once per set of constants and caches bind groups by buffer identity. */
export class Pipelines {
  #device: GPUDevice;
  #uniforms: GPUBuffer;
  #modules = new Map<string, GPUShaderModule>();
  #pipelines = new Map<string, Pipeline>();
  #groupsByBuffer = new Map<number, Set<CachedGroup>>();

  #onRefused: (label: string, error: GPUError) => void;
  #created = 0;

  /**
   * `uniforms` is the ring that every pipeline's parameters are read from; `onRefused` hears of a
   * pipeline that does not compile.
   */
  constructor(
    device: GPUDevice,
    uniforms: GPUBuffer,
    onRefused: (label: string, error: GPUError) => void,
  ) {
    this.#device = device;
    this.#uniforms = uniforms;
    this.#onRefused = onRefused;
  }

  /**
   * The pipeline of an entry point with the given `override` constants, for what is bound to it: which
   * of that is stored in 16 bits is compiled in.
   */
  get(
    kernel: Kernel,
    entry: string,
    constants: Record<string, number> | undefined,
    bound: Bound,
  ): Pipeline {
    const aliases = halfAliases(kernel, entry, bound);
    let key = `${kernel.name}:${entry}`;
    if (constants) { for (const name in constants) key += `,${name}=${constants[name]}`; }
    if (aliases) key += `,f16=${[...aliases].join("+")}`;
    let pipeline = this.#pipelines.get(key);
    if (!pipeline) {
      pipeline = this.#compile(key, kernel, entry, constants, aliases);
      this.#pipelines.set(key, pipeline);
    }
    return pipeline;
  }

  /** What is bound to a pipeline, in the order of its bindings; something else stands in for what is not. */
  storages(pipeline: Pipeline, bound: Bound): Storage[] {
    const { label, bindings } = pipeline;
    let standIn: Storage | undefined;
    return bindings.map(({ name }) => {
      let storage = bound[name];
      if (!storage && name in bound) {
        storage = standIn ??= bindings.map(({ name, writes }) => writes ? undefined : bound[name])
          .find((other) => other !== undefined);
      }
      if (!storage) throw new KernelError(`kernel ${label}: nothing is bound to "${name}"`);
      expectHeld(pipeline, name, storage);
      return storage;
    });
  }

  /** The bind group of a pipeline for these storages, which {@link Pipelines.storages} gave. */
  bind(pipeline: Pipeline, bound: Bound, storages: readonly Storage[]): GPUBindGroup {
    let key = "";
    for (const { pooled } of storages) key += `${pooled.id},`;
    let group = pipeline.groups.get(key);
    if (!group) {
      if (++this.#created % MAX_GROUPS === 0) this.#forgetAll();
      refuseExtras(pipeline, bound);
      group = this.#createGroup(pipeline, storages, key);
      pipeline.groups.set(key, group);
    }
    return group;
  }

  /** A bind group that is not cached: one buffer for each binding, in their order, and parameters. */
  group(
    { label, layout, bindings }: Pipeline,
    buffers: readonly PooledBuffer[],
    uniforms: GPUBuffer,
  ): GPUBindGroup {
    const entries: GPUBindGroupEntry[] = bindings.map(({ binding }, i) => {
      const { buffer, offset, size } = buffers[i];
      return { binding, resource: { buffer, offset, size } };
    });
    entries.push({ binding: 0, resource: { buffer: uniforms, size: UNIFORM_SIZE } });
    return this.#device.createBindGroup({ label, layout, entries });
  }

  /** Drops the bind groups that hold a destroyed buffer. */
  forget(bufferId: number): void {
    for (const cached of this.#groupsByBuffer.get(bufferId) ?? []) {
      cached.groups.delete(cached.key);
      // A parameter outlives thousands of the buffers that it was bound with.
      for (const id of cached.buffers) this.#groupsByBuffer.get(id)?.delete(cached);
    }
    this.#groupsByBuffer.delete(bufferId);
  }

  /** Work of ever new shapes would otherwise fill the cache without end. */
  #forgetAll(): void {
    for (const { groups } of this.#pipelines.values()) groups.clear();
    this.#groupsByBuffer.clear();
  }

  #createGroup(pipeline: Pipeline, storages: readonly Storage[], key: string): GPUBindGroup {
    refuseOverlap(pipeline, storages);
    const buffers = storages.map(({ pooled }) => pooled);
    const cached = { groups: pipeline.groups, key, buffers: buffers.map(({ id }) => id) };
    for (const { id } of buffers) {
      const uses = this.#groupsByBuffer.get(id);
      if (uses) uses.add(cached);
      else this.#groupsByBuffer.set(id, new Set([cached]));
    }
    return this.group(pipeline, buffers, this.#uniforms);
  }

  #compile(
    label: string,
    kernel: Kernel,
    entry: string,
    constants: Record<string, number> | undefined,
    halves: ReadonlySet<string> | undefined,
  ): Pipeline {
    const bindings = bindingsOf(kernel, entry);
    this.#device.pushErrorScope("validation"); // drivers leave the label out of their messages
    const layout = this.#device.createBindGroupLayout({
      label,
      entries: [
        { binding: 0, visibility: COMPUTE, buffer: { type: "uniform", hasDynamicOffset: true } },
        ...bindings.map(({ binding, writes }) => ({
          binding,
          visibility: COMPUTE,
          buffer: { type: writes ? "storage" as const : "read-only-storage" as const },
        })),
      ],
    });
    const pipeline = this.#device.createComputePipeline({
      label,
      layout: this.#device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
      compute: { module: this.#module(kernel, halves), entryPoint: entry, constants },
    });
    this.#device.popErrorScope().then((error) => {
      if (error) this.#onRefused(label, error);
    }, () => {}); // rejected with a lost device, which is reported as such
    return { label, pipeline, bindings, layout, groups: new Map() };
  }

  #module(kernel: Kernel, halves: ReadonlySet<string> | undefined): GPUShaderModule {
    const label = halves ? `${kernel.name},f16=${[...halves].join("+")}` : kernel.name;
    let module = this.#modules.get(label);
    if (!module) {
      const code = halves ? halvedSource(kernel, halves) : kernel.source;
      module = this.#device.createShaderModule({ label, code });
      this.#modules.set(label, module);
    }
    return module;
  }
}

function bindingsOf(kernel: Kernel, entry: string): readonly Binding[] {
  const bindings = kernel.entries.get(entry);
  if (bindings) return bindings;
  const known = [...kernel.entries.keys()].join(", ");
  throw new KernelError(`kernel ${kernel.name} has no entry "${entry}": it has ${known}`);
}

/**
 * The aliases of a kernel whose bindings are stored in 16 bits; undefined where all are in 32. What an
 * entry would misread is refused here, whatever the operation has checked.
 */
function halfAliases(kernel: Kernel, entry: string, bound: Bound): Set<string> | undefined {
  let aliases: Set<string> | undefined;
  const bindings = bindingsOf(kernel, entry);
  for (const { name, alias } of bindings) {
    if (!bound[name]?.isHalf) continue;
    if (alias === undefined) {
      throw new KernelError(
        `kernel ${kernel.name}:${entry} reads "${name}" in 32 bits, found f16: cast it to f32`,
      );
    }
    (aliases ??= new Set()).add(alias);
  }
  if (!aliases) return undefined;
  for (const { name, alias } of bindings) {
    if (bound[name] && !bound[name].isHalf && aliases.has(alias!)) {
      throw new KernelError(
        `kernel ${kernel.name}:${entry}: "${name}" is in 32 bits, but others of its kind are f16`,
      );
    }
  }
  return aliases;
}

function expectHeld({ label }: Pipeline, name: string, { references }: Storage): void {
  if (references > 0) return;
  throw new KernelError(
    `kernel ${label}: the tensor bound to "${name}" was already freed; ` +
      "keep it with scope.keep, or do not use it after its scope",
  );
}

function refuseExtras({ label, bindings }: Pipeline, bound: Bound): void {
  const names = bindings.map(({ name }) => name);
  const extra = Object.keys(bound).find((name) => !names.includes(name));
  if (!extra) return;
  throw new KernelError(`kernel ${label} has no "${extra}": it uses ${names.join(", ")}`);
}

/** Drivers refuse such a dispatch too, but only at the next wait and without the kernel's name. */
function refuseOverlap({ label, bindings }: Pipeline, storages: readonly Storage[]): void {
  const buffers = storages.map(({ pooled }) => pooled.buffer);
  bindings.forEach(({ name, writes }, i) => {
    const other = writes ? buffers.findIndex((buffer, j) => j !== i && buffer === buffers[i]) : -1;
    if (other < 0) return;
    throw new KernelError(
      `kernel ${label} writes "${name}", which is also bound to "${bindings[other].name}": ` +
        "copy one of them",
    );
  });
}

/** Bind groups that are made before all are forgotten; a training step needs a few thousand. */
const MAX_GROUPS = 32_768;

const COMPUTE = 0x4; // GPUShaderStage.COMPUTE, which not every runtime has as a global

/** The bytes of a dispatch's parameters at most. */
export const UNIFORM_SIZE = 256;
