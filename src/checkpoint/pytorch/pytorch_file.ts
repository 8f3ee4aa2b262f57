import { allocate, type ByteSource, bytesSource, openSource } from "../byte_source.ts";
import { BYTES_PER_ELEMENT, decodeFloats, decodeIntegers, isFloat, isInteger } from "../dtype.ts";
import { CheckpointError } from "../errors.ts";
import { MAX_GROWN_BYTES, MAX_GROWTH } from "../limits.ts";
import {
  missingTensor,
  readFloats,
  type StoredTensor,
  type TensorFile,
  type TensorInfo,
} from "../source.ts";
import type { Container } from "./container.ts";
import { openLegacy } from "./legacy_container.ts";
import { type NamedViews, nameViews } from "./tensor_names.ts";
import { gather, type TensorView } from "./tensor_view.ts";
import { openZip } from "./zip_container.ts";

/**
 * A PyTorch file (.pth, .pt, .ckpt, .bin), open for reading, in either form that `torch.save` writes: the
 * zip archive and the older stream. Opening it reads its list of tensors only; each tensor's bytes are
 * read when asked for, so that a large file never sits in memory whole.
 *
 * Nothing in a file runs. Its pickle is read by an interpreter of the operations that describe values,
 * and of the few names that weights need; any other is refused by name.
 *
 * Nested dictionaries are flattened: a tensor's name is the keys on the way to it, joined with dots.
 * Views of a shared storage, transposed, sliced or expanded, are read as tensors of their own. Floats
 * become float32: exactly, but for f64, which is rounded to nearest.
 *
 * @example
 * ```ts
 * import { CheckpointError, PytorchFile } from "@coda/tokenizer";
 *
 * const pickle = new Uint8Array([0x80, 2, ...new TextEncoder().encode("cos\nsystem\n")]);
 * const error = await PytorchFile.fromBytes(pickle, "vae.pth").catch((error) => error);
 * console.assert(error instanceof CheckpointError && error.message.includes('"os.system"'));
 * ```
 */
export class PytorchFile implements TensorFile {
  /** The kind of file. */
  readonly format = "pytorch" as const;
  /** The file's name, for messages. */
  readonly file: string;
  /** The texts, numbers and truth values beside the tensors in the outermost dictionary, as texts. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly #source: ByteSource;
  readonly #container: Container;
  readonly #tensors: ReadonlyMap<string, TensorView>;

  private constructor(source: ByteSource, container: Container, views: NamedViews, file: string) {
    this.file = file;
    this.metadata = views.metadata;
    this.#source = source;
    this.#container = container;
    this.#tensors = views.tensors;
  }

  /**
   * Opens the file at `path`. Close it with `using` or {@link PytorchFile.close}.
   *
   * @throws {CheckpointError} If there is none, it is not a sound PyTorch file, or its pickle names more
   * than weights need.
   */
  static async open(path: string): Promise<PytorchFile> {
    const source = openSource(path);
    try {
      return await PytorchFile.#from(source, path);
    } catch (error) {
      source.close();
      throw error;
    }
  }

  /**
   * Reads a file that is in memory already.
   *
   * @param bytes The whole file.
   * @param file A name for messages.
   * @throws {CheckpointError} If it is not a sound PyTorch file, or its pickle names more than weights
   * need.
   */
  static async fromBytes(bytes: Uint8Array, file = "(bytes)"): Promise<PytorchFile> {
    return await PytorchFile.#from(bytesSource(bytes), file);
  }

  static async #from(source: ByteSource, file: string): Promise<PytorchFile> {
    const container = await openContainer(source, file);
    const views = nameViews(container.root, file);
    checkGrowth(views, container, source.size, file);
    const storages = new Set(Array.from(views.tensors.values(), ({ storage }) => storage));
    for (const storage of storages) container.check(storage);
    return new PytorchFile(source, container, views, file);
  }

  /** The tensors' names, in the order of the file's dictionaries. */
  get names(): string[] {
    return [...this.#tensors.keys()];
  }

  /** Whether there is a tensor of this name. */
  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /**
   * What the file says of a tensor, without reading it.
   *
   * @throws {CheckpointError} If there is no tensor of this name.
   */
  info(name: string): TensorInfo {
    const { dtype, shape, elements } = this.#view(name);
    return { name, dtype, shape, bytes: elements * BYTES_PER_ELEMENT.get(dtype)! };
  }

  /**
   * Reads one tensor. Floats become float32: exactly, but for f64, which is rounded to nearest.
   *
   * @throws {CheckpointError} If there is no tensor of this name or its dtype is not read here.
   */
  async tensor(name: string): Promise<StoredTensor> {
    const view = this.#view(name);
    const { dtype, shape } = view;
    if (isFloat(dtype)) {
      return { name, dtype, shape, data: decodeFloats(await this.#read(view), dtype) };
    }
    if (isInteger(dtype)) {
      return { name, dtype, shape, data: decodeIntegers(await this.#read(view), dtype) };
    }
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

  /** Reads the tensors one after another, in the order of their names in the file. */
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

  /** The bytes of a view's elements in row-major order. */
  async #read(view: TensorView): Promise<Uint8Array<ArrayBuffer>> {
    const { storage, reach, elements, dtype } = view;
    if (elements === 0) return new Uint8Array();
    const width = BYTES_PER_ELEMENT.get(dtype)!;
    const start = beginOf(view);
    const bytes = await this.#container.read(storage, start, reach * width);
    if (view.isContiguous) return bytes;
    const gathered = allocate(elements * width, this.file);
    gather(view, bytes, gathered);
    return gathered;
  }

  #view(name: string): TensorView {
    const view = this.#tensors.get(name);
    if (view !== undefined) return view;
    throw missingTensor(this.file, name, this.#tensors.size);
  }
}

/** The first byte of a view in what the file keeps of its storage. */
function beginOf({ storage, offset, dtype }: TensorView): number {
  return storage.start * storage.width + offset * BYTES_PER_ELEMENT.get(dtype)!;
}

/**
 * Refuses tensors that are far more than the file: of elements that repeat, of storages that many share,
 * or of those that unpack to much, which are unpacked anew for each tensor.
 */
function checkGrowth(
  { tensors }: NamedViews,
  container: Container,
  fileSize: number,
  file: string,
): void {
  const limit = Math.max(MAX_GROWN_BYTES, MAX_GROWTH * fileSize);
  let grown = 0;
  for (const [tensor, view] of tensors) {
    const { storage, elements, reach, dtype } = view;
    const width = BYTES_PER_ELEMENT.get(dtype)!;
    const unpacked = container.unpacked(storage, beginOf(view) + reach * width);
    grown += Math.max(elements * width, unpacked);
    if (grown <= limit) continue;
    throw new CheckpointError(
      file,
      `and those before it take ${grown} bytes of a file of ${fileSize}, at most ${limit} are read: ` +
        "they repeat, share or unpack too much; save them with .contiguous(), uncompressed",
      { tensor },
    );
  }
}

/** Opens a file of either form. */
async function openContainer(source: ByteSource, file: string): Promise<Container> {
  const [first, second] = source.read(0, Math.min(2, source.size));
  if (first === 0x50 && second === 0x4b) return await openZip(source, file);
  if (first === 0x80) return openLegacy(source, file);
  throw new CheckpointError(
    file,
    "is neither a zip archive nor a pickle, so not of torch.save; it is damaged or of another kind",
  );
}
