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

/** Reads `length` bytes from `offset` into memory of their own. */
interface Source {
  read(offset: number, length: number): Uint8Array<ArrayBuffer>;
  close(): void;
}

function bytesSource(bytes: Uint8Array): Source {
  return { read: (offset, length) => bytes.slice(offset, offset + length), close: () => {} };
}

/** Seek and read go together without an await between, so that two readers cannot cross. */
function fileSource(handle: Deno.FsFile, file: string): Source {
  return {
    read(offset, length) {
      const bytes = allocate(length, file);
      handle.seekSync(offset, Deno.SeekMode.Start);
      for (let done = 0; done < length;) {
        const n = handle.readSync(bytes.subarray(done));
        if (n === null) {
          throw new CheckpointError(
            file,
            `ended at byte ${offset + done} while it was read; it was changed, open it again`,
          );
        }
        done += n;
      }
      return bytes;
    },
    close: () => handle.close(),
  };
}

function allocate(length: number, file: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new CheckpointError(file, `needs ${length} bytes of memory for one tensor, too many`, {
      cause,
    });
  }
}

function openFile(path: string): { handle: Deno.FsFile; size: number } {
  let handle: Deno.FsFile | undefined;
  try {
    handle = Deno.openSync(path);
    const { isFile, size } = handle.statSync();
    if (isFile) return { handle, size };
  } catch (cause) {
    handle?.close();
    const why = cause instanceof Deno.errors.NotFound
      ? "there is no such file; check the path"
      : `cannot be read: ${cause instanceof Error ? cause.message : cause}`;
    throw new CheckpointError(path, why, { cause });
  }
  handle.close();
  throw new CheckpointError(path, "is a folder, not a safetensors file; name the file in it");
}

/**
 * A safetensors file, open for reading. Opening it reads and checks the header only; each tensor's
 * bytes are read when asked for, so that a large file never sits in memory whole.
 *
 * Format: 8 bytes little-endian header length, a JSON header of name → dtype, shape and byte range,
 * then the bytes. A file is refused when its header is longer than 100 MB or than the file, is not
 * JSON, or holds a key twice; when byte ranges overlap, leave holes, or leave the file; and when a
 * range's length is not what shape and dtype need.
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
  readonly #source: Source;
  readonly #header: Header;
  readonly #dataStart: number;

  private constructor(source: Source, size: number, file: string) {
    this.file = file;
    this.#source = source;
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
    const { handle, size } = openFile(path);
    try {
      return new SafetensorsFile(fileSource(handle, path), size, path);
    } catch (error) {
      handle.close();
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
    return new SafetensorsFile(bytesSource(bytes), bytes.length, file);
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
