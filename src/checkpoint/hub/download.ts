import { createHash, type Hash } from "node:crypto";
import { dirname } from "@std/path";
import { writeAll } from "../atomic.ts";
import { CheckpointError } from "../errors.ts";

/** A file on a hub, as its listing describes it. */
export interface RemoteFile {
  /** Its path in the repository. */
  readonly path: string;
  /** Its bytes. */
  readonly size: number;
  /** SHA-256 of the bytes of a large file, or git's SHA-1 of a small one, in hexadecimal. */
  readonly checksum: string;
}

/** How {@link download} gets a file's bytes and tells of them. */
export interface DownloadOptions {
  /** Opens the file's bytes from an offset on. */
  open(offset: number): Promise<ReadableStream<Uint8Array>>;
  /** Hears how many bytes of the file are here. */
  onBytes?: (bytes: number) => void;
  /** Stops the download; what has come stays beside the file and is gone on from next time. */
  signal?: AbortSignal;
}

/** How often a connection may break before the download gives up. */
const TRIES = 4;
/** Milliseconds before the second try; the wait doubles with each. */
const WAIT = 500;

/**
 * Downloads a file to `to`, by way of `to.part`: what an earlier attempt left there is kept, and the
 * name is given only to bytes with the right checksum. Of two processes that want the same file one
 * waits for the other.
 *
 * @throws {CheckpointError} where the connection breaks again and again, or the bytes are wrong.
 */
export async function download(
  file: RemoteFile,
  to: string,
  options: DownloadOptions,
): Promise<void> {
  if (await isFile(to)) return;
  await Deno.mkdir(dirname(to), { recursive: true });
  const partial = `${to}.part`;
  using part = await Deno.open(partial, { read: true, write: true, create: true });
  await part.lock(true);
  if (await isFile(to)) return await Deno.remove(partial).catch(() => {}); // another process was faster
  for (let attempt = 1;; attempt++) {
    try {
      await fill(part, file, options);
      break;
    } catch (error) {
      options.signal?.throwIfAborted();
      const isRefused = error instanceof CheckpointError;
      if (isRefused || attempt === TRIES) throw isRefused ? error : broken(file, error);
      await new Promise((resolve) => setTimeout(resolve, WAIT * 2 ** (attempt - 1)));
    }
  }
  await part.sync();
  await Deno.rename(partial, to);
}

/** Brings a partial file to its whole length and checks it; a wrong one is emptied. */
async function fill(part: Deno.FsFile, file: RemoteFile, options: DownloadOptions): Promise<void> {
  const hash = file.checksum.length === 64
    ? createHash("sha256")
    : createHash("sha1").update(`blob ${file.size}\0`);
  let offset = await hashKept(part, hash, file.size);
  options.onBytes?.(offset);
  if (offset < file.size) {
    for await (const bytes of await options.open(offset)) {
      options.signal?.throwIfAborted();
      await writeAll(part, bytes);
      hash.update(bytes);
      offset += bytes.length;
      if (offset > file.size) break;
      options.onBytes?.(offset);
    }
  }
  if (offset < file.size) throw new Error(`ended after ${offset} of ${file.size} bytes`);
  if (offset === file.size && hash.digest("hex") === file.checksum) return;
  await part.truncate(0);
  const found = offset > file.size
    ? `has more than the ${file.size} bytes that the hub announced`
    : "does not have the checksum that the hub announced";
  throw new CheckpointError(file.path, `${found}; what was downloaded is thrown away, try again`);
}

/** Feeds what an earlier attempt left to the checksum, and moves to its end. */
async function hashKept(part: Deno.FsFile, hash: Hash, size: number): Promise<number> {
  const { size: kept } = await part.stat();
  if (kept > size) await part.truncate(0);
  await part.seek(0, Deno.SeekMode.Start);
  const buffer = new Uint8Array(1 << 20);
  let offset = 0;
  for (let read; (read = await part.read(buffer)) !== null; offset += read) {
    hash.update(buffer.subarray(0, read));
  }
  return offset;
}

/** Whether there is a file of that name. */
export async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

function broken(file: RemoteFile, error: unknown): CheckpointError {
  const reason = error instanceof Error ? error.message : String(error);
  return new CheckpointError(
    file.path,
    `cannot be downloaded: ${reason}; what has come is kept, try again to go on from there`,
    { cause: error },
  );
}
