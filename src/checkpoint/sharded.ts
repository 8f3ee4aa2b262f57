import { dirname, join } from "@std/path";
import { type Config, readConfig } from "./config.ts";
import { CheckpointError, quote } from "./errors.ts";
import { MAX_TENSORS } from "./limits.ts";
import {
  missingTensor,
  readFloats,
  type StoredTensor,
  type TensorFile,
  type TensorInfo,
  tooManyTensors,
} from "./source.ts";

/** The end of an index file's name. */
export const INDEX_SUFFIX = ".index.json";

/**
 * Weights in several files, the shards, beside an index that says which tensor is in which:
 * `model.safetensors.index.json` with a `weight_map` of names to file names.
 */
export class ShardedFile implements TensorFile {
  /** The index file's name, for messages. */
  readonly file: string;
  /** The kind of the shards. */
  readonly format: TensorFile["format"];
  /** The texts of all shards; of two with one key, the later shard's. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The tensors' names, shard by shard. */
  readonly names: readonly string[];
  /** The shards. */
  readonly shards: readonly TensorFile[];
  readonly #shardOf: ReadonlyMap<string, TensorFile>;

  private constructor(
    file: string,
    shards: readonly TensorFile[],
    shardOf: ReadonlyMap<string, TensorFile>,
  ) {
    this.file = file;
    this.format = shards[0]?.format ?? "safetensors";
    this.metadata = Object.assign({}, ...shards.map(({ metadata }) => metadata));
    this.names = [...shardOf.keys()];
    this.shards = shards;
    this.#shardOf = shardOf;
  }

  /**
   * Opens an index file and its shards, which lie beside it.
   *
   * @param open How a shard is opened.
   * @throws {CheckpointError} where the index is none, or a shard is missing, unsound or without a
   * tensor that the index says is in it.
   */
  static async open(
    index: string,
    open: (path: string) => Promise<TensorFile>,
  ): Promise<ShardedFile> {
    const map = weightMap(await readConfig(index), index);
    const count = Object.keys(map).length;
    if (count > MAX_TENSORS) throw tooManyTensors(count, index);
    const shards = new Map<string, TensorFile>();
    try {
      for (const shard of new Set(Object.values(map))) {
        const name = shardName(shard, index);
        shards.set(name, await open(join(dirname(index), name)));
      }
      const shardOf = new Map(
        Object.entries(map).map(([tensor, shard]) => [tensor, shards.get(String(shard))!]),
      );
      for (const [tensor, shard] of shardOf) {
        if (!shard.has(tensor)) {
          throw new CheckpointError(
            shard.file,
            `is missing, although ${index} says it is there; fetch both again`,
            { tensor },
          );
        }
      }
      return new ShardedFile(index, [...shards.values()], shardOf);
    } catch (error) {
      for (const shard of shards.values()) shard.close();
      throw error;
    }
  }

  /** Whether there is a tensor of this name. */
  has(name: string): boolean {
    return this.#shardOf.has(name);
  }

  /** What its shard says of a tensor. */
  info(name: string): TensorInfo {
    return this.#shard(name).info(name);
  }

  /** Reads one tensor from its shard. */
  async tensor(name: string): Promise<StoredTensor> {
    return await this.#shard(name).tensor(name);
  }

  /** Reads one tensor of floats and checks its shape. */
  async floats(name: string, shape?: readonly number[]): Promise<Float32Array<ArrayBuffer>> {
    return await readFloats(this.#shard(name), name, shape);
  }

  /** Closes the shards. */
  close(): void {
    for (const shard of this.shards) shard.close();
  }

  /** Closes the shards at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }

  #shard(name: string): TensorFile {
    const shard = this.#shardOf.get(name);
    if (shard !== undefined) return shard;
    throw missingTensor(this.file, name, this.#shardOf.size);
  }
}

function weightMap({ weight_map: map }: Config, index: string): Readonly<Record<string, unknown>> {
  const isMap = typeof map === "object" && map !== null && !Array.isArray(map);
  if (isMap && Object.keys(map).length > 0) return map as Record<string, unknown>;
  throw new CheckpointError(
    index,
    'has no "weight_map" of tensors to files, so it is no index of weights; fetch it again',
  );
}

/** A shard's file name, which must lie beside the index. */
function shardName(name: unknown, index: string): string {
  const isPlain = typeof name === "string" && name !== "" && !/[\\/]/.test(name) &&
    name !== "." && name !== ".." && !name.endsWith(INDEX_SUFFIX);
  if (isPlain) return name;
  throw new CheckpointError(
    index,
    `names the shard ${quote(JSON.stringify(name) ?? "")}, expected a file name beside it; ` +
      "fetch it again",
  );
}
