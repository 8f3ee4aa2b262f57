import { writeFileAtomic } from "../checkpoint/atomic.ts";
import { TokenFileError } from "./errors.ts";
import { decodeTokens, encodeTokens } from "./format.ts";
import type { Tokens } from "./tokens.ts";

/** A token file larger than this is refused unread. */
const MAX_FILE_BYTES = 2 ** 30;

async function readBytes(path: string): Promise<Uint8Array> {
  const { isFile, size } = await Deno.stat(path);
  if (!isFile) throw new TokenFileError(path, "is a folder; name a token file in it");
  if (size > MAX_FILE_BYTES) {
    throw new TokenFileError(path, `has ${size} bytes, at most ${MAX_FILE_BYTES} are read`);
  }
  return await Deno.readFile(path);
}

/** Whether there is a file here that begins as token files do. */
export async function isTokenFile(path: string): Promise<boolean> {
  try {
    using file = await Deno.open(path);
    const start = new Uint8Array(4);
    return await file.read(start) === 4 && new TextDecoder().decode(start) === "CODA";
  } catch {
    return false; // whoever reads it as something else says why that cannot be
  }
}

/**
 * Reads a token file.
 *
 * @throws {TokenFileError} If there is none, it cannot be read, or it is not sound, see
 * {@link decodeTokens}.
 *
 * @example
 * ```ts
 * import { readTokens, writeTokens } from "@coda/tokenizer";
 *
 * const path = `${await Deno.makeTempDir()}/a.coda`;
 * await writeTokens(path, {
 *   width: 8,
 *   height: 8,
 *   codebookSize: 4,
 *   modelId: "0123456789abcdef0123456789abcdef",
 *   grids: [{ height: 1, width: 1 }],
 *   indices: [new Uint32Array([3])],
 * });
 * console.assert((await readTokens(path)).indices[0][0] === 3);
 * ```
 */
export async function readTokens(path: string): Promise<Tokens> {
  let bytes: Uint8Array;
  try {
    bytes = await readBytes(path);
  } catch (cause) {
    if (cause instanceof TokenFileError) throw cause;
    const why = cause instanceof Deno.errors.NotFound
      ? "there is no such file; check the path"
      : `cannot be read: ${cause instanceof Error ? cause.message : cause}`;
    throw new TokenFileError(path, why, cause);
  }
  return decodeTokens(bytes, { file: path });
}

/**
 * Writes a token file, whole or not at all.
 *
 * @throws {RangeError} If the tokens are not sound, see {@link encodeTokens}.
 * @throws {WriteError} If the file cannot be written.
 *
 * @example See {@link readTokens}.
 */
export async function writeTokens(path: string, tokens: Tokens): Promise<void> {
  await writeFileAtomic(path, encodeTokens(tokens));
}
