import { type ByteSource, bytesSource, openSource } from "./byte_source.ts";
import { decodeFloats, decodeIntegers, isFloat, isInteger } from "./dtype.ts";
import { CheckpointError } from "./errors.ts";
import { type Header, headerLength, parseHeader } from "./header.ts";
import {
  expectShape,
  missingTensor,
  readFloats,
  type StoredTensor,
  type TensorFile,
  type TensorInfo,
} from "./source.ts";

/**
 * A safetensors file, open for reading. Opening it reads and checks the header only; each tensor's
 * bytes are read when asked for, so that a large file never sits in memory whole.
 *
 * Format: 8 bytes little-endian header length, a JSON header of name → dtype, shape and byte range,
 * then the bytes. A file is refused when its header is longer than 16 MiB or than the file, is not
 * JSON, holds a key twice or over 65,536 tensors; when byte ranges overlap, leave holes, or leave the
 * file; and when a range's length is not what shape and dtype need.
 *
 * @example
 * ```ts
 * import { encodeSafetensors, SafetensorsFile } from "@coda/tokenizer";
 *
 * const bytes = encodeSafetensors([{ name: "w", shape: [2], data: new Float32Array([1, 2]) }]);
 * using file = SafetensorsFile.fromBytes(bytes);
 * const w = await file.tensor("w");
 * console.assert(w.dtype === "f32" && w.data[1] === 2);
 * ```
 */
export class SafetensorsFile implements TensorFile {
  /** The kind of file. */
  readonly format = "safetensors" as const;
  /** The file's name, for messages. */
  readonly file: string;
  /** The free-form texts of the file's `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly #source: ByteSource;
  readonly #header: Header;
  readonly #dataStart: number;

  private constructor(source: ByteSource, file: string) {
    this.file = file;
    this.#source = source;
    const { size } = source;
    const length = headerLength(source.read(0, Math.min(8, size)), size, file);
    this.#dataStart = 8 + length;
    this.#header = parseHeader(source.read(8, length), size - this.#dataStart, file);
    this.metadata = this.#header.metadata;
  }

  /**
   * Opens the file at `path`. Close it with `using` or {@link SafetensorsFile.close}.
   *
   * @throws {CheckpointError} If there is none, or it is not a sound safetensors file.
   */
  // deno-lint-ignore require-await -- a promise, so that a fault is a rejection like the reads'
  static async open(path: string): Promise<SafetensorsFile> {
    const source = openSource(path);
    try {
      return new SafetensorsFile(source, path);
    } catch (error) {
      source.close();
      throw error;
    }
  }

  /**
   * Reads a file that is in memory already: weights embedded in a program or fetched by a browser.
   *
   * @param bytes The whole file.
   * @param file A name for messages.
   * @throws {CheckpointError} If it is not a sound safetensors file.
   */
  static fromBytes(bytes: Uint8Array, file = "(bytes)"): SafetensorsFile {
    return new SafetensorsFile(bytesSource(bytes), file);
  }

  /** The tensors' names, in the order of their bytes. */
  get names(): string[] {
    return [...this.#header.entries.keys()];
  }

  /** Whether there is a tensor of this name. */
  has(name: string): boolean {
    return this.#header.entries.has(name);
  }

  /**
   * What the header says of a tensor, without reading it.
   *
   * @throws {CheckpointError} If there is no tensor of this name.
   */
  info(name: string): TensorInfo {
    const { dtype, shape, begin, end } = this.#entry(name);
    return { name, dtype, shape, bytes: end - begin };
  }

  /**
   * Checks a tensor's shape without reading it.
   *
   * @throws {CheckpointError} If it is missing or has another shape.
   */
  expectShape(name: string, expected: readonly number[]): void {
    expectShape(this, name, expected);
  }

  /**
   * Reads one tensor. Floats become float32: exactly, but for f64, which is rounded to nearest.
   *
   * @throws {CheckpointError} If there is no tensor of this name or its dtype is not read here.
   */
  // deno-lint-ignore require-await -- sources that read asynchronously keep this signature
  async tensor(name: string): Promise<StoredTensor> {
    const { dtype, shape, begin, end } = this.#entry(name);
    const read = () => this.#source.read(this.#dataStart + begin, end - begin);
    if (isFloat(dtype)) return { name, dtype, shape, data: decodeFloats(read(), dtype) };
    if (isInteger(dtype)) return { name, dtype, shape, data: decodeIntegers(read(), dtype) };
    throw new CheckpointError(
      this.file,
      `is stored as ${dtype.toUpperCase()}, which is not read; convert it to F32`,
      { tensor: name },
    );
  }

  /**
   * Reads one tensor of floats and checks its shape.
   *
   * @param name The tensor's name.
   * @param shape The shape it must have, where one is expected.
   * @throws {CheckpointError} If it is missing, has another shape, or holds integers.
   */
  floats(name: string, shape?: readonly number[]): Promise<Float32Array<ArrayBuffer>> {
    return readFloats(this, name, shape);
  }

  /** Reads the tensors one after another, in the order of their bytes. */
  async *tensors(): AsyncGenerator<StoredTensor> {
    for (const name of this.names) yield await this.tensor(name);
  }

  /** Closes the file. Tensors already read stay valid. */
  close(): void {
    this.#source.close();
  }

  /** Closes the file at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }

  #entry(name: string): ReturnType<Header["entries"]["get"]> & object {
    const entry = this.#header.entries.get(name);
    if (entry !== undefined) return entry;
    throw missingTensor(this.file, name, this.#header.entries.size);
  }
}
