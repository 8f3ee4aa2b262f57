import {
  expectShape,
  readFloats,
  sameShape,
  type StoredTensor,
  type TensorFile,
  type TensorInfo,
} from "./source.ts";

/** A tensor of a file under another name. */
export interface Renaming {
  /** The name in the view. */
  readonly name: string;
  /** The name in the file. */
  readonly stored: string;
  /** The shape in the view, of as many elements, where it is not the file's. */
  readonly shape?: readonly number[];
}

/**
 * Some of a file's tensors under other names, and with other shapes where the values are the same.
 * Closing it closes the file.
 */
export class RenamedFile implements TensorFile {
  /** The file's name, for messages. */
  readonly file: string;
  /** The kind of file. */
  readonly format: TensorFile["format"];
  /** Free-form texts that the file carries. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly #source: TensorFile;
  readonly #renamings: ReadonlyMap<string, Renaming>;
  readonly #missing: (name: string) => string;

  /**
   * Looks at a file so.
   *
   * @param missing What the file would call a tensor that it has not.
   */
  constructor(
    source: TensorFile,
    renamings: Iterable<Renaming>,
    missing: (name: string) => string,
  ) {
    this.file = source.file;
    this.format = source.format;
    this.metadata = source.metadata;
    this.#source = source;
    this.#renamings = new Map(Array.from(renamings, (renaming) => [renaming.name, renaming]));
    this.#missing = missing;
  }

  /** The tensors' names in the view. */
  get names(): readonly string[] {
    return [...this.#renamings.keys()];
  }

  /** Whether there is a tensor of this name. */
  has(name: string): boolean {
    return this.#renamings.has(name);
  }

  /** What the file itself calls a tensor, or would call it. */
  nameInFile(name: string): string {
    return this.#renamings.get(name)?.stored ?? this.#missing(name);
  }

  /** What the file says of a tensor, with its shape in the view. */
  info(name: string): TensorInfo {
    const info = this.#source.info(this.nameInFile(name));
    return { ...info, name, shape: this.#renamings.get(name)?.shape ?? info.shape };
  }

  /** Reads one tensor. */
  async tensor(name: string): Promise<StoredTensor> {
    const tensor = await this.#source.tensor(this.nameInFile(name));
    return { ...tensor, name, shape: this.#renamings.get(name)?.shape ?? tensor.shape };
  }

  /** Checks a tensor's shape without reading it. What is wrong is told in the file's own words. */
  expectShape(name: string, shape: readonly number[]): void {
    const seen = this.#renamings.get(name)?.shape;
    if (seen && sameShape(seen, shape)) return;
    expectShape(this.#source, this.nameInFile(name), shape);
  }

  /** Reads one tensor of floats and checks its shape. What is wrong is told in the file's own words. */
  // deno-lint-ignore require-await -- a promise, so that a wrong shape is a rejection like the rest
  async floats(name: string, shape?: readonly number[]): Promise<Float32Array<ArrayBuffer>> {
    if (shape !== undefined) this.expectShape(name, shape);
    return readFloats(this.#source, this.nameInFile(name));
  }

  /** Closes the file. */
  close(): void {
    this.#source.close();
  }

  /** Closes the file at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }
}
