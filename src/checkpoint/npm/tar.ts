/** A file of an archive. */
export interface TarFile {
  /** Its path in the archive. */
  readonly name: string;
  /** Its content, a part of the archive's memory. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const BLOCK = 512;
const REGULAR = ["0", "\0"];

/** Unpacks gzip. */
export async function gunzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return await new Response(stream).bytes();
}

/**
 * The regular files of a tar archive (POSIX ustar). Links, folders and extended headers are left out.
 *
 * @throws {RangeError} where the archive is cut short.
 */
export function* tarFiles(archive: Uint8Array<ArrayBuffer>): Generator<TarFile> {
  for (let at = 0; at + BLOCK <= archive.length && archive[at] !== 0;) {
    const header = archive.subarray(at, at + BLOCK);
    const size = parseInt(text(header, 124, 12), 8) || 0;
    const begin = at + BLOCK;
    const end = begin + size;
    if (end > archive.length) throw new RangeError("tar: the archive is cut short");
    if (REGULAR.includes(String.fromCharCode(header[156]))) {
      yield { name: nameOf(header), bytes: archive.subarray(begin, end) };
    }
    at = begin + Math.ceil(size / BLOCK) * BLOCK;
  }
}

function nameOf(header: Uint8Array): string {
  const prefix = text(header, 257, 5) === "ustar" ? text(header, 345, 155) : "";
  const name = text(header, 0, 100);
  return prefix === "" ? name : `${prefix}/${name}`;
}

function text(header: Uint8Array, at: number, length: number): string {
  const field = header.subarray(at, at + length);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}
