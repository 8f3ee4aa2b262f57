import type { TensorFile, TensorInfo } from "./source.ts";

/** The tensors of a file whose names begin with a prefix, under what follows it. */
export interface PrefixedFile {
  /** The file's name, for messages. */
  readonly file: string;
  /** The names without the prefix. */
  readonly names: readonly string[];
  /** Whether there is a tensor of this name. */
  has(name: string): boolean;
  /** What the header says of a tensor. */
  info(name: string): TensorInfo;
  /** Reads one tensor of floats and checks its shape. */
  floats(name: string, shape?: readonly number[]): Promise<Float32Array<ArrayBuffer>>;
}

/** Looks at one part of a file that holds several models: `prefixed(file, "vae.")`. */
export function prefixed(file: TensorFile, prefix: string): PrefixedFile {
  return {
    file: file.file,
    names: file.names.filter((name) => name.startsWith(prefix)).map((name) =>
      name.slice(prefix.length)
    ),
    has: (name) => file.has(prefix + name),
    info: (name) => file.info(prefix + name),
    floats: (name, shape) => file.floats(prefix + name, shape),
  };
}
