import type { Gpu, Storage } from "../gpu/mod.ts";
import { cast } from "../ops/mod.ts";
import {
  type FloatType,
  ownTensor,
  type Random,
  type Shape,
  shapeText,
  type Tensor,
} from "../tensor/mod.ts";
import { fromFileLayout, type Layout, onGpuShape, toFileLayout } from "./layout.ts";

/** Makes a parameter's first values, in the layout of weight files. */
export type Initializer = (random: Random, shape: Shape) => Float32Array;

/** Where weights are read from, by name; a safetensors file is one. */
export interface WeightSource {
  /** A name for messages. */
  readonly file: string;
  /** Whether there is a tensor of this name. */
  has(name: string): boolean;
  /** The values of a tensor, which must be there and have this shape. */
  floats(name: string, shape: Shape): Promise<Float32Array>;
}

/** A named tensor of a model, and how it lies in weight files. */
export interface Parameter {
  /** Its key in weight files. */
  readonly name: string;
  /** Its shape in weight files: PyTorch's. */
  readonly shape: Shape;
  /** How the file's axes become the GPU's. */
  readonly layout: Layout;
  /** Its values on the GPU. */
  readonly tensor: Tensor;
  /** Its values before training. */
  readonly initialize: Initializer | undefined;
}

/** A parameter's values on the host, in the layout of weight files. */
export interface Weights {
  /** Its key in weight files. */
  name: string;
  /** Its shape there. */
  shape: Shape;
  /** Its values there. */
  data: Float32Array<ArrayBuffer>;
}

/** Neighbouring parameters of a set that lie in one buffer, for work on all of them at once. */
export interface Page {
  /** They, in order; each begins at a multiple of {@link PAGE_BLOCK} elements, zeros behind it. */
  readonly parameters: readonly Parameter[];
  /** How many elements the buffer has. */
  readonly size: number;
  /** The buffer as a whole; it lives as long as any of the parameters. */
  readonly storage: Storage;
}

/** Elements; a parameter begins on a page at a multiple of it. */
export const PAGE_BLOCK = 1024;

/** How parameters are stored. */
export interface ParametersOptions {
  /**
   * Whether those of more than one axis, the weights, are stored in f16: half the memory, for inference
   * alone. The few numbers of biases and norms stay f32.
   */
  half?: boolean;
}

/** How a parameter is declared beside its name and shape. */
export interface Declaration {
  /** How the file's axes become the GPU's; "plain" keeps them. */
  layout?: Layout;
  /** Its values before training, where it can be trained from scratch. */
  initialize?: Initializer;
}

/**
 * The parameters of a model under the names that weight files use. Modules declare theirs when they
 * are built; then the whole set is loaded or initialised at once.
 */
export class Parameters implements Disposable {
  /** The device that holds them. */
  readonly gpu: Gpu;
  #all: Map<string, Parameter>;
  #laid: { pages?: readonly Page[] };
  #prefix: string;
  #half: boolean;

  /** An empty set. @throws {GpuError} by `declare`, where the adapter has no f16 that is asked for. */
  constructor(gpu: Gpu, { half = false }: ParametersOptions = {}) {
    this.gpu = gpu;
    this.#half = half;
    this.#all = new Map();
    this.#laid = {};
    this.#prefix = "";
  }

  /** The same set, where every name is taken below `name.`. */
  at(name: string): Parameters {
    const child = new Parameters(this.gpu, { half: this.#half });
    child.#all = this.#all;
    child.#laid = this.#laid;
    child.#prefix = `${this.#prefix}${name}.`;
    return child;
  }

  /** The full name of what this view calls `name`; without one, of the module it belongs to. */
  nameOf(name = ""): string {
    return name ? this.#prefix + name : this.#prefix.slice(0, -1);
  }

  /** Adds a parameter; its values are undefined until `load` or `initialize`. */
  declare(name: string, shape: Shape, options: Declaration = {}): Tensor {
    const { layout = "plain", initialize } = options;
    const full = this.#prefix + name;
    if (this.#all.has(full)) throw new TypeError(`parameter ${full} is declared twice`);
    if (this.#laid.pages) throw new TypeError(`parameter ${full} comes after the pages were laid`);
    const dtype = this.#half && shape.length > 1 ? "f16" : "f32";
    const tensor = ownTensor(this.gpu, onGpuShape(shape, layout), dtype);
    this.#all.set(full, { name: full, shape, layout, tensor, initialize });
    return tensor;
  }

  /** Every parameter of the set, in the order of declaration. */
  [Symbol.iterator](): IterableIterator<Parameter> {
    return this.#all.values();
  }

  /** How many numbers there are in all. */
  get size(): number {
    return [...this].reduce((size, { tensor }) => size + tensor.size, 0);
  }

  /**
   * The set as few buffers, in order: as many neighbours in each as the adapter binds at once. The
   * first call moves the parameters there, for good; sets of the same shapes have the same pages.
   *
   * @throws {TypeError} where weights are f16, which are not trained.
   */
  pages(): readonly Page[] {
    if (this.#half) {
      throw new TypeError("parameters in f16 are for inference: load them without half");
    }
    const most = this.gpu.adapter.limits.maxStorageBufferBindingSize / 4;
    return this.#laid.pages ??= grouped([...this], most).map((parameters) => ({
      parameters,
      size: parameters.reduce((size, { tensor }) => size + blocked(tensor.size), 0),
      storage: this.gpu.join(parameters.map(({ tensor }) => tensor.storage), 4 * PAGE_BLOCK),
    }));
  }

  /** Reads every parameter from a source, one at a time. */
  async load(source: WeightSource): Promise<void> {
    for (const parameter of this) {
      set(parameter, await source.floats(parameter.name, parameter.shape));
    }
  }

  /** Takes over the values of a set of the same names and shapes, which is freed on the way. */
  takeOver(others: Parameters): void {
    for (const { name, tensor } of this) {
      using _scope = this.gpu.scope();
      const other = others.#all.get(name)!.tensor;
      this.gpu.copy(cast(other, tensor.dtype as FloatType).storage, tensor.storage);
      other.dispose();
    }
  }

  /**
   * Gives every parameter its first values.
   *
   * @throws {TypeError} where one has none, because it is only ever loaded.
   */
  initialize(random: Random): void {
    for (const parameter of this) {
      if (!parameter.initialize) {
        throw new TypeError(`parameter ${parameter.name} has no first values`);
      }
      set(parameter, parameter.initialize(random, parameter.shape));
    }
  }

  /** Sets one parameter from values in file layout. @throws {TypeError} for another count of values. */
  set(name: string, data: Float32Array): void {
    const parameter = this.#all.get(name);
    if (!parameter) throw new TypeError(`there is no parameter ${name}`);
    set(parameter, data);
  }

  /** Reads back every parameter's values, in the layout of weight files. */
  async weights(): Promise<Weights[]> {
    return await Promise.all([...this].map(weightsOf));
  }

  /** Frees them all. */
  [Symbol.dispose](): void {
    for (const { tensor } of this) tensor.dispose();
  }
}

/** Reads one parameter's values back, in the layout of weight files. */
export async function weightsOf({ name, shape, layout, tensor }: Parameter): Promise<Weights> {
  const values = await tensor.read() as Float32Array<ArrayBuffer>;
  return { name, shape, data: toFileLayout(values, shape, layout) };
}

/** Neighbours together as long as they fit. */
function grouped(parameters: readonly Parameter[], most: number): Parameter[][] {
  const groups: Parameter[][] = [];
  let room = 0;
  for (const parameter of parameters) {
    const size = blocked(parameter.tensor.size);
    if (size > room) {
      groups.push([]);
      room = most;
    }
    groups.at(-1)!.push(parameter);
    room -= size;
  }
  return groups;
}

function blocked(size: number): number {
  return Math.ceil(size / PAGE_BLOCK) * PAGE_BLOCK;
}

function set({ name, shape, layout, tensor }: Parameter, data: Float32Array): void {
  if (data.length !== tensor.size) {
    throw new TypeError(`parameter ${name}: ${data.length} values for ${shapeText(shape)}`);
  }
  tensor.write(fromFileLayout(data, shape, layout));
}
