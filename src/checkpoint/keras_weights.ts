import { join } from "@std/path";
import type { WeightSource } from "../nn/mod.ts";
import { type ByteSource, openSource } from "./byte_source.ts";
import { type Config, readConfig } from "./config.ts";
import { CheckpointError } from "./errors.ts";

/** Where a tensor lies among the bytes of all shards. */
interface Entry {
  readonly shape: readonly number[];
  readonly offset: number;
}

/**
 * The weights of a Keras model as TensorFlow.js keeps them: `model.json`, whose `weightsManifest` names
 * tensors and the shards that hold them one after another, as float32. Read tensor by tensor.
 */
export class KerasWeights implements WeightSource, Disposable {
  /** The path of model.json. */
  readonly file: string;
  #entries: ReadonlyMap<string, Entry>;
  #shards: readonly ByteSource[];

  private constructor(
    file: string,
    entries: ReadonlyMap<string, Entry>,
    shards: readonly ByteSource[],
  ) {
    this.file = file;
    this.#entries = entries;
    this.#shards = shards;
  }

  /**
   * Opens the model in a folder.
   *
   * @throws {CheckpointError} where model.json or a shard is missing, is no such file, or is cut short.
   */
  static async open(folder: string): Promise<KerasWeights> {
    const file = join(folder, "model.json");
    const { paths, weights } = manifestOf(await readConfig(file), file);
    const { entries, size } = laidOut(weights, file);
    const shards: ByteSource[] = [];
    try {
      for (const path of paths) shards.push(openSource(join(folder, path)));
      const found = shards.reduce((sum, shard) => sum + shard.size, 0);
      if (found === size) return new KerasWeights(file, entries, shards);
      throw new CheckpointError(
        file,
        `names tensors of ${size} bytes in all, its shards have ${found}; fetch them again`,
      );
    } catch (error) {
      for (const shard of shards) shard.close();
      throw error;
    }
  }

  /** Whether there is a tensor of this name. */
  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** The values of a tensor. @throws {CheckpointError} where it is missing or of another shape. */
  floats(name: string, shape: readonly number[]): Promise<Float32Array<ArrayBuffer>> {
    const entry = this.#entries.get(name);
    const fail = (problem: string) => new CheckpointError(this.file, problem, { tensor: name });
    if (!entry) return Promise.reject(fail("is missing"));
    if (entry.shape.join() !== shape.join()) {
      return Promise.reject(fail(`is [${entry.shape}], expected [${shape}]`));
    }
    return Promise.resolve(new Float32Array(this.#read(entry).buffer));
  }

  /** Closes the shards. */
  [Symbol.dispose](): void {
    for (const shard of this.#shards) shard.close();
  }

  #read({ shape, offset }: Entry): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(4 * sizeOf(shape));
    let first = 0; // of the shard, among the bytes of all
    for (const shard of this.#shards) {
      const begin = Math.max(offset, first);
      const end = Math.min(offset + bytes.length, first + shard.size);
      if (begin < end) bytes.set(shard.read(begin - first, end - begin), begin - offset);
      first += shard.size;
    }
    return bytes;
  }
}

/** A tensor in the manifest. */
interface Weight {
  readonly name: string;
  readonly shape: readonly number[];
}

function manifestOf(config: Config, file: string): { paths: string[]; weights: Weight[] } {
  const groups = config.weightsManifest;
  if (!Array.isArray(groups)) {
    throw new CheckpointError(file, "has no weightsManifest; it is no model of TensorFlow.js");
  }
  const paths = groups.flatMap((group) => group?.paths ?? []);
  const weights = groups.flatMap((group) => group?.weights ?? []);
  if (!paths.every(isFileName) || !weights.every(isWeight)) {
    throw new CheckpointError(
      file,
      "has a weightsManifest that is not one of files beside it and float32 tensors; fetch it again",
    );
  }
  return { paths, weights };
}

function isFileName(path: unknown): boolean {
  return typeof path === "string" && /^[\w-][\w.-]*$/.test(path);
}

function isWeight(weight: unknown): boolean {
  const { name, shape, dtype, quantization } = (weight ?? {}) as Record<string, unknown>;
  return typeof name === "string" && dtype === "float32" && quantization === undefined &&
    Array.isArray(shape) && shape.every((n) => Number.isSafeInteger(n) && n > 0);
}

function laidOut(weights: readonly Weight[], file: string) {
  const entries = new Map<string, Entry>();
  let size = 0;
  for (const { name, shape } of weights) {
    if (entries.has(name)) throw new CheckpointError(file, "is there twice", { tensor: name });
    entries.set(name, { shape, offset: size });
    size += 4 * sizeOf(shape);
  }
  return { entries, size };
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, n) => size * n, 1);
}
