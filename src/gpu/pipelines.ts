import { KernelError } from "./errors.ts";
import type { Binding, Kernel } from "./kernel.ts";
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

  /** The pipeline of an entry point with the given `override` constants. */
  get(kernel: Kernel, entry: string, constants: Record<string, number> | undefined): Pipeline {
    let key = `${kernel.name}:${entry}`;
    if (constants) { for (const name in constants) key += `,${name}=${constants[name]}`; }
    let pipeline = this.#pipelines.get(key);
    if (!pipeline) {
      pipeline = this.#compile(key, kernel, entry, constants);
      this.#pipelines.set(key, pipeline);
    }
    return pipeline;
  }

  /** The bind group of a pipeline for these storages, by WGSL name. */
  bind(pipeline: Pipeline, bound: Record<string, Storage>): GPUBindGroup {
    let key = "";
    for (const { name } of pipeline.bindings) {
      key += `${this.#storage(pipeline, bound, name).pooled.id},`;
    }
    let group = pipeline.groups.get(key);
    if (!group) {
      if (++this.#created % MAX_GROUPS === 0) this.#forgetAll();
      group = this.#createGroup(pipeline, bound, key);
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

  #storage(pipeline: Pipeline, bound: Record<string, Storage>, name: string): Storage {
    const storage = bound[name];
    if (!storage) throw new KernelError(`kernel ${pipeline.label}: nothing is bound to "${name}"`);
    if (storage.references === 0) {
      throw new KernelError(
        `kernel ${pipeline.label}: the tensor bound to "${name}" was already freed; ` +
          "keep it with scope.keep, or do not use it after its scope",
      );
    }
    return storage;
  }

  #createGroup(pipeline: Pipeline, bound: Record<string, Storage>, key: string): GPUBindGroup {
    const names = pipeline.bindings.map(({ name }) => name);
    const extra = Object.keys(bound).find((name) => !names.includes(name));
    if (extra) {
      throw new KernelError(
        `kernel ${pipeline.label} has no "${extra}": it uses ${names.join(", ")}`,
      );
    }
    refuseAliases(pipeline, bound);
    const buffers = names.map((name) => bound[name].pooled);
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
  ): Pipeline {
    const bindings = kernel.entries.get(entry);
    if (!bindings) {
      const known = [...kernel.entries.keys()].join(", ");
      throw new KernelError(`kernel ${kernel.name} has no entry "${entry}": it has ${known}`);
    }
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
      compute: { module: this.#module(kernel), entryPoint: entry, constants },
    });
    this.#device.popErrorScope().then((error) => {
      if (error) this.#onRefused(label, error);
    }, () => {}); // rejected with a lost device, which is reported as such
    return { label, pipeline, bindings, layout, groups: new Map() };
  }

  #module(kernel: Kernel): GPUShaderModule {
    let module = this.#modules.get(kernel.name);
    if (!module) {
      module = this.#device.createShaderModule({ label: kernel.name, code: kernel.source });
      this.#modules.set(kernel.name, module);
    }
    return module;
  }
}

/** Drivers refuse such a dispatch too, but only at the next wait and without the kernel's name. */
function refuseAliases({ label, bindings }: Pipeline, bound: Record<string, Storage>): void {
  for (const { name, writes } of bindings) {
    if (!writes) continue;
    const other = bindings.find((binding) =>
      binding.name !== name && bound[binding.name].pooled.buffer === bound[name].pooled.buffer
    );
    if (other) {
      throw new KernelError(
        `kernel ${label} writes "${name}", which is also bound to "${other.name}": copy one of them`,
      );
    }
  }
}

/** Bind groups that are made before all are forgotten; a training step needs a few thousand. */
const MAX_GROUPS = 32_768;

const COMPUTE = 0x4; // GPUShaderStage.COMPUTE, which not every runtime has as a global

/** The bytes of a dispatch's parameters at most. */
export const UNIFORM_SIZE = 256;
