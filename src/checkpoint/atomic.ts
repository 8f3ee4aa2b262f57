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
  const temporary = join(folder, `.${basename(path)}.${crypto.randomUUID().slice(0, 8)}.tmp`);
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
