import type { FileEntry, Reader, ZipReader } from "@zip.js/zip.js/lib/zip-core-custom.js";
import { allocate, type ByteSource } from "../byte_source.ts";
import { CheckpointError, quote } from "../errors.ts";
import { MAX_DEFLATE_RATIO, MAX_DIRECTORY_BYTES, MAX_ENTRIES } from "../limits.ts";

/** The bytes of a local header before the name, which stand before each entry's data. */
const LOCAL_HEADER = 30;

const STORED = 0;
const DEFLATED = 8;

/** One file of an archive. */
export interface ZipEntry {
  /** Its name. */
  readonly name: string;
  /** Its bytes, unpacked. */
  readonly size: number;
  /** What the zip reader knows of it. */
  readonly entry: FileEntry;
}

/**
 * A zip archive, open for reading. Its directory is read at once, of its entries only what is asked for:
 * one that is stored is read in place, one that is deflated is unpacked as far as is wanted.
 *
 * Checksums are not checked: PyTorch writes files without them if told so, and parts are read.
 */
export class ZipArchive {
  readonly #source: ByteSource;
  readonly #file: string;
  readonly #entries: ReadonlyMap<string, ZipEntry>;
  readonly #places = new Map<ZipEntry, number>();

  private constructor(source: ByteSource, file: string, entries: ReadonlyMap<string, ZipEntry>) {
    this.#source = source;
    this.#file = file;
    this.#entries = entries;
  }

  /**
   * Reads an archive's directory.
   *
   * @throws {CheckpointError} where it is damaged, names a file twice, or entries overlap.
   */
  static async open(source: ByteSource, file: string): Promise<ZipArchive> {
    const zip = await import("@zip.js/zip.js/lib/zip-core-custom.js");
    const entries = new Map<string, ZipEntry>();
    await guarded(file, async () => {
      const reader = new zip.ZipReader(limitedReader(zip.Reader, source, file), OPTIONS);
      const all = await readDirectory(reader, file);
      checkOverlap(all, reader.directoryOffset ?? source.size, file);
      for (const entry of all) {
        const name = entry.filename;
        if (entries.has(name)) throw fault(file, `names ${quote(name)} twice; write it again`);
        entries.set(name, { name, size: entry.uncompressedSize, entry });
      }
    });
    return new ZipArchive(source, file, entries);
  }

  /** The names of the archive's files. */
  get names(): string[] {
    return [...this.#entries.keys()];
  }

  /** A file of the archive that can be read, or undefined where there is none of this name. */
  find(name: string): ZipEntry | undefined {
    const found = this.#entries.get(name);
    if (found !== undefined) this.#check(found);
    return found;
  }

  /** Reads `length` bytes of an entry from `start`, which must be there, into memory of their own. */
  async read(entry: ZipEntry, start: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    if (length === 0) return new Uint8Array();
    return isStored(entry)
      ? this.#source.read(await this.begin(entry) + start, length)
      : await this.#inflate(entry, start, length);
  }

  /** Where a stored entry's bytes begin in the file. */
  async begin(entry: ZipEntry): Promise<number> {
    const known = this.#places.get(entry);
    if (known !== undefined) return known;
    const nowhere = new WritableStream();
    await guarded(this.#file, () =>
      entry.entry.getData(nowhere, {
        checkOverlappingEntryOnly: true,
      }));
    const place = entry.entry.localDirectory!.dataOffset;
    this.#places.set(entry, place);
    return place;
  }

  async #inflate(
    { name, size, entry }: ZipEntry,
    start: number,
    length: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const kept = allocate(length, this.#file);
    let at = 0;
    const sink = new WritableStream<Uint8Array>({
      write: (chunk) => {
        const from = Math.max(0, start - at);
        const wanted = chunk.subarray(from, Math.max(from, start + length - at));
        kept.set(wanted, Math.max(0, at - start));
        at += chunk.length;
        if (at > size) {
          throw fault(this.#file, `unpacks ${quote(name)} to more than the ${size} bytes it says`);
        }
      },
    });
    await guarded(this.#file, () => entry.getData(sink));
    return kept;
  }

  #check({ name, size, entry }: ZipEntry): void {
    const { encrypted, compressionMethod: method, compressedSize: packed } = entry;
    const wrong = encrypted
      ? "is encrypted; save the file without a password"
      : method !== STORED && method !== DEFLATED
      ? `is packed by method ${method}, expected stored or deflated; write it again`
      : method === STORED && packed !== size
      ? `has ${packed} bytes that are said to be ${size}; it is damaged, fetch it again`
      : method === DEFLATED && size > MAX_DEFLATE_RATIO * packed
      ? `says that ${packed} bytes unpack to ${size}, more than deflate can; it is no weight file`
      : undefined;
    if (wrong !== undefined) {
      throw fault(this.#file, `has the entry ${quote(name)}, which ${wrong}`);
    }
  }
}

/** Whether an entry's bytes lie in the file as they are. */
export function isStored({ entry }: ZipEntry): boolean {
  return entry.compressionMethod === STORED;
}

/**
 * No worker is started. An archive that has two directories, or whose directory and entries differ, is
 * refused; one that is odd in lesser ways is not, as torch.save's own are: they end as zip64 where none is
 * needed, which strict reading refuses.
 */
const OPTIONS = {
  useWebWorkers: false,
  strictness: "balanced",
  checkLocalFilename: true,
} as const;

type ReaderClass = typeof Reader<ByteSource>;

/** The file as the zip reader sees it: it may not ask for more at once than a directory has. */
function limitedReader(Base: ReaderClass, source: ByteSource, file: string): Reader<ByteSource> {
  class LimitedReader extends Base {
    override size = source.size;

    // deno-lint-ignore require-await -- the zip reader's way
    override async readUint8Array(offset: number, length: number): Promise<Uint8Array> {
      if (length > MAX_DIRECTORY_BYTES) {
        throw fault(
          file,
          `has a directory of ${length} bytes, at most ${MAX_DIRECTORY_BYTES} are read`,
        );
      }
      const begin = Math.min(offset, source.size);
      return source.read(begin, Math.max(0, Math.min(length, source.size - begin)));
    }
  }
  return new LimitedReader(source);
}

async function readDirectory(reader: ZipReader<ByteSource>, file: string): Promise<FileEntry[]> {
  const files: FileEntry[] = [];
  let count = 0;
  for await (const entry of reader.getEntriesGenerator()) {
    if (++count > MAX_ENTRIES) {
      throw fault(file, `has over ${MAX_ENTRIES} entries, more than weights need`);
    }
    if (!entry.directory) files.push(entry);
  }
  return files;
}

/** Checks that no byte of the file is in two entries, as an archive that unpacks to far more has it. */
function checkOverlap(entries: readonly FileEntry[], end: number, file: string): void {
  const inOrder = [...entries].sort((a, b) => a.offset - b.offset);
  inOrder.forEach((entry, i) => {
    const next = inOrder[i + 1];
    const least = entry.offset + LOCAL_HEADER + entry.rawFilename.length + entry.compressedSize;
    if (least <= (next?.offset ?? end)) return;
    const other = next === undefined ? "the directory" : quote(next.filename);
    throw fault(
      file,
      `has the entry ${quote(entry.filename)}, which reaches byte ${least}, into ${other}; ` +
        "it is damaged or made to harm",
    );
  });
}

/** Calls the zip reader. What it has to say becomes the file's error. */
async function guarded<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof CheckpointError) throw cause;
    const { message, reason } = cause as Error & { reason?: string };
    const why = reason === undefined ? message : `${message}, ${reason}`;
    throw new CheckpointError(
      file,
      `is no sound zip archive (${why}); it is cut short or damaged, fetch it again`,
      { cause },
    );
  }
}

function fault(file: string, problem: string): CheckpointError {
  return new CheckpointError(file, problem);
}
