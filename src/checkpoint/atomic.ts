import { basename, dirname, join } from "@std/path";
import { WriteError } from "./errors.ts";

/** Why the system refused, in words, with what to do about it. */
function reason(folder: string, error: unknown): string {
  if (error instanceof Deno.errors.NotFound) {
    return `the folder ${folder} does not exist; create it or choose another path`;
  }
  if (error instanceof Deno.errors.NotADirectory || error instanceof Deno.errors.AlreadyExists) {
    return `${folder} is not a folder; choose another path`;
  }
  if (error instanceof Deno.errors.IsADirectory) {
    return "a folder of that name is in the way; choose another path";
  }
  if (error instanceof Deno.errors.NotCapable) {
    return `Deno was not allowed to; run it with --allow-write=${folder}`;
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return `the folder ${folder} is not writable; change its permissions or choose another path`;
  }
  const text = error instanceof Error ? error.message : String(error);
  return `${text}; free space or choose another path`;
}

/** A name beside a path that nobody has. */
function temporaryOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.${crypto.randomUUID().slice(0, 8)}.tmp`);
}

/** Whether a name is one that writing left behind when it was killed. */
export function isTemporary(name: string): boolean {
  return /^\..*\.[0-9a-f]{8}\.tmp$/.test(name);
}

/** Writes all of `bytes`, and lets the program hear of Ctrl-C while it does. */
export async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

async function fill(temporary: string, contents: AsyncIterable<Uint8Array>): Promise<void> {
  using file = await Deno.open(temporary, { write: true, createNew: true });
  for await (const bytes of contents) await writeAll(file, bytes);
  await file.sync();
}

/**
 * Writes a file so that it is either the old one or the whole new one, whatever happens between:
 * the bytes go to a temporary file beside it, reach the disk, and take the name by a rename. On a
 * failure the temporary is removed.
 *
 * @param path The file to write. Its folder must exist, see {@link makeFolder}.
 * @param contents Bytes, a text (written as UTF-8), or chunks of bytes made one after another.
 * @throws {WriteError} If the file cannot be written.
 *
 * @example
 * ```ts
 * import { writeFileAtomic } from "@coda/tokenizer";
 *
 * const path = await Deno.makeTempFile();
 * await writeFileAtomic(path, new Uint8Array([1, 2, 3]));
 * console.assert((await Deno.readFile(path)).length === 3);
 * ```
 */
export async function writeFileAtomic(
  path: string,
  contents: Uint8Array | string | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const folder = dirname(path);
  const temporary = temporaryOf(path);
  const chunks = typeof contents === "string"
    ? [new TextEncoder().encode(contents)]
    : contents instanceof Uint8Array
    ? [contents]
    : contents;
  let source: unknown;
  const guarded = (async function* () {
    try {
      yield* chunks;
    } catch (error) {
      source = error;
      throw error;
    }
  })();
  try {
    await fill(temporary, guarded);
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    // What the caller's own chunks threw is theirs, not a failure to write.
    if (source !== undefined) throw source;
    throw new WriteError(path, reason(folder, error), error);
  }
}

/**
 * Makes a folder and those above it, and proves that a file can be written in it, so that a long
 * run learns of an unwritable place before it starts.
 *
 * @throws {WriteError} If the folder cannot be made or written in.
 *
 * @example
 * ```ts
 * import { makeFolder } from "@coda/tokenizer";
 *
 * const folder = `${await Deno.makeTempDir()}/run/images`;
 * await makeFolder(folder);
 * console.assert((await Deno.stat(folder)).isDirectory);
 * ```
 */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await Deno.mkdir(folder, { recursive: true });
  } catch (error) {
    throw new WriteError(folder, reason(folder, error), error);
  }
  const probe = join(folder, `.${crypto.randomUUID().slice(0, 8)}.tmp`);
  try {
    await Deno.writeFile(probe, new Uint8Array(), { createNew: true });
    await Deno.remove(probe);
  } catch (error) {
    throw new WriteError(folder, reason(folder, error), error);
  }
}

/**
 * Writes a folder so that all of it is there under its name or none: what `fill` writes lies beside it
 * until it is done. A folder of that name gives way.
 *
 * @param fill Writes the files into the folder that it is given.
 * @throws {WriteError} Where the folder cannot be written; nothing is left behind.
 */
export async function writeFolderAtomic(
  path: string,
  fill: (folder: string) => Promise<void>,
): Promise<void> {
  const temporary = temporaryOf(path);
  try {
    await Deno.mkdir(temporary);
    await fill(temporary);
    await Deno.remove(path, { recursive: true }).catch(ignoreMissing);
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary, { recursive: true }).catch(() => {});
    if (error instanceof WriteError) {
      throw new WriteError(error.file.replace(temporary, path), error.problem, error);
    }
    if (error instanceof Error && error.name in Deno.errors) {
      throw new WriteError(path, reason(dirname(path), error), error);
    }
    throw error;
  }
}

/**
 * Gives a file a second name, which stays when the first one goes; what had that name gives way to it
 * at once. Where the file system has no links it becomes a copy.
 *
 * @throws {WriteError} Where the name cannot be given.
 */
export async function linkFileAtomic(from: string, to: string): Promise<void> {
  const temporary = temporaryOf(to);
  try {
    await Deno.link(from, temporary).catch(() => Deno.copyFile(from, temporary));
    await Deno.rename(temporary, to);
  } catch (error) {
    throw new WriteError(to, reason(dirname(to), error), error);
  } finally {
    // A rename to another name of the same file leaves both.
    await Deno.remove(temporary).catch(() => {});
  }
}

/** Adds to the end of a file. @throws {WriteError} Where that cannot be. */
export async function appendFile(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await Deno.writeFile(path, bytes, { append: true });
  } catch (error) {
    throw new WriteError(path, reason(dirname(path), error), error);
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
