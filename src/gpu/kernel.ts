import { type KernelName, sources } from "../../kernels/mod.ts";
import { KernelError } from "./errors.ts";

/** A scalar field of a kernel's `struct Params`. */
export interface ParamField {
  /** The field's name in WGSL. */
  name: string;
  /** Its WGSL type. */
  type: "u32" | "i32" | "f32";
}

/** A storage binding of a kernel's source. */
export interface Binding {
  /** The variable's name in WGSL. */
  name: string;
  /** The number in `@binding(n)`. */
  binding: number;
  /** Whether the kernel writes to it. */
  writes: boolean;
  /**
   * The alias by which the source names the type of its elements, or of those of its vec4. A binding
   * that has one can be stored in 16 bits, together with the others of the same alias.
   */
  alias?: string;
}

/** A kernel family: one .wgsl file, its parameters, and the bindings of each of its entry points. */
export interface Kernel {
  /** The file's name without its ending. */
  readonly name: KernelName;
  /** The WGSL source. */
  readonly source: string;
  /** The fields of `struct Params`, in order. */
  readonly params: readonly ParamField[];
  /** The storage bindings that each `@compute` function uses, itself or through what it calls. */
  readonly entries: ReadonlyMap<string, readonly Binding[]>;
}

const kernels = new Map<KernelName, Kernel>();

/**
 * The kernel family of `kernels/<name>.wgsl`. WGSL is the only place where parameters and bindings
 * are declared: they are read from the source, once.
 *
 * @throws {KernelError} where the source breaks the house's form.
 */
export function defineKernel(name: KernelName): Kernel {
  let kernel = kernels.get(name);
  if (!kernel) {
    kernel = parseKernel(name, sources[name]);
    kernels.set(name, kernel);
  }
  return kernel;
}

/** Of what is stored in 16 bits or in 32; integers are floats that are moved by their bits. */
const ALIAS = /alias\s+(\w+)\s*=\s*(?:f32|u32)\s*;/g;

/**
 * A kernel's source where the elements that some of its aliases name are stored in 16 bits. What is
 * computed stays as it is: the source converts what it reads to f32, and what it writes by the alias.
 */
export function halvedSource({ source }: Kernel, aliases: ReadonlySet<string>): string {
  const halved = source.replace(
    ALIAS,
    (whole, name) => aliases.has(name) ? `alias ${name} = f16;` : whole,
  );
  return `enable f16;\n${halved}`;
}

/** Reads a kernel's parameters and bindings from its WGSL source. */
export function parseKernel(name: KernelName, source: string): Kernel {
  const code = source.replace(/\/\/.*$/gm, "");
  const bindings = parseBindings(code);
  const functions = parseFunctions(code);
  const entries = new Map<string, readonly Binding[]>();
  for (const [entry, { isEntry }] of functions) {
    if (!isEntry) continue;
    const used = reachable(entry, functions);
    entries.set(entry, bindings.filter((binding) => used.has(binding.name)));
  }
  if (entries.size === 0) throw new KernelError(`kernel ${name}: no @compute function found`);
  return { name, source, params: parseParams(name, code), entries };
}

function parseParams(kernel: string, code: string): ParamField[] {
  const body = code.match(/struct\s+Params\s*\{([^}]*)\}/)?.[1] ?? "";
  return body.split(",").map((field) => field.trim()).filter(Boolean).map((field) => {
    const [name, type] = field.split(":").map((part) => part.trim());
    if (type !== "u32" && type !== "i32" && type !== "f32") {
      throw new KernelError(`kernel ${kernel}: Params.${name} is ${type}; use u32, i32 or f32`);
    }
    return { name, type };
  });
}

function parseBindings(code: string): Binding[] {
  const pattern =
    /@group\(0\)\s*@binding\((\d+)\)\s*var<storage(?:,\s*(\w+))?>\s*(\w+)\s*:\s*array<(?:vec4<)?(\w+)/g;
  const aliases = new Set([...code.matchAll(ALIAS)].map(([, name]) => name));
  return [...code.matchAll(pattern)].map(([, binding, access, name, type]) => ({
    name,
    binding: Number(binding),
    writes: access === "read_write",
    ...(aliases.has(type) ? { alias: type } : {}),
  }));
}

interface Function {
  isEntry: boolean;
  words: Set<string>;
}

function parseFunctions(code: string): Map<string, Function> {
  const functions = new Map<string, Function>();
  let end = 0;
  for (const match of code.matchAll(/\bfn\s+(\w+)/g)) {
    const attributes = code.slice(end, match.index);
    end = closingBrace(code, code.indexOf("{", match.index)) + 1;
    functions.set(match[1], {
      isEntry: attributes.includes("@compute"),
      words: new Set(code.slice(match.index, end).match(/(?<![.\w])[A-Za-z_]\w*/g)), // not .members
    });
  }
  return functions;
}

function closingBrace(code: string, open: number): number {
  let depth = 0;
  for (let at = open; at < code.length; at++) {
    if (code[at] === "{") depth++;
    if (code[at] === "}" && --depth === 0) return at;
  }
  return code.length;
}

function reachable(entry: string, functions: Map<string, Function>): Set<string> {
  const words = new Set<string>([entry]);
  for (const word of words) {
    for (const next of functions.get(word)?.words ?? []) words.add(next);
  }
  return words;
}

/** The workgroup counts `[x, y, 1]` for `count` invocations in workgroups of `size`, x within WebGPU's limit. */
export function gridFor(count: number, size: number): [number, number, number] {
  const groups = Math.max(1, Math.ceil(count / size));
  const x = Math.min(groups, 65535);
  return [x, Math.ceil(groups / x), 1];
}
