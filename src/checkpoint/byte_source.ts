import { CheckpointError } from "./errors.ts";

/** The bytes of a file, read where they are wanted. */
export interface ByteSource {
  /** How many there are. */
  readonly size: number;
  /** Reads `length` bytes from `offset`, which must be there, into memory of their own. */
  read(offset: number, length: number): Uint8Array<ArrayBuffer>;
  /** Closes the file. */
  close(): void;
}

/** Bytes in memory. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: (offset, length) => bytes.slice(offset, offset + length),
    close: () => {},
  };
}

/**
 * The bytes of the file at `path`.
 *
 * @throws {CheckpointError} where there is none, or it cannot be read.
 */
export function openSource(path: string): ByteSource {
  let handle: Deno.FsFile | undefined;
  try {
    handle = Deno.openSync(path);
    const { isFile, size } = handle.statSync();
    if (isFile) return fileSource(handle, size, path);
  } catch (cause) {
    handle?.close();
    const why = cause instanceof Deno.errors.NotFound
      ? "there is no such file; check the path"
      : `cannot be read: ${cause instanceof Error ? cause.message : cause}`;
    throw new CheckpointError(path, why, { cause });
  }
  handle.close();
  throw new CheckpointError(path, "is a folder, not a weight file; name the file in it");
}

/** Seek and read go together without an await between, so that two readers cannot cross. */
function fileSource(handle: Deno.FsFile, size: number, file: string): ByteSource {
  return {
    size,
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

/** Memory for `length` bytes of a file. @throws {CheckpointError} where that is too much. */
export function allocate(length: number, file: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new CheckpointError(file, `needs ${length} bytes of memory for one tensor, too many`, {
      cause,
    });
  }
}
