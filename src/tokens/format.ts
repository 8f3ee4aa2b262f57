import { packBits, packedLength, unpackBits } from "./bits.ts";
import { crc32 } from "./crc32.ts";
import { TokenFileError } from "./errors.ts";
import type { Grid } from "../quantizer/mod.ts";
import { bitsPerIndex, headerProblem, indicesProblem, type Tokens } from "./tokens.ts";

/** The newest version of the format that is read; the oldest that says all of the tokens is written. */
export const TOKEN_FORMAT_VERSION = 2;

const MAGIC = [0x43, 0x4f, 0x44, 0x41]; // "CODA"
const FIXED_BYTES = 44;
const FLAGS_BYTES = 4;
const GRID_BYTES = 4;
const CHECKSUM_BYTES = 4;

/** Among the flags: the model was in half. */
const HALF_FLAG = 1;

function parseModelId(modelId: string): Uint8Array {
  if (/^([0-9a-f]{32}|[0-9a-f]{64})$/.test(modelId)) {
    return Uint8Array.fromHex(modelId.slice(0, 32));
  }
  throw new RangeError(
    `a model id has 32 or 64 hexadecimal digits, found ${JSON.stringify(modelId)}`,
  );
}

/** Where the grids begin. */
function gridsAt(version: number): number {
  return FIXED_BYTES + (version === 1 ? 0 : FLAGS_BYTES);
}

function tokenCount(grids: readonly Grid[]): number {
  return grids.reduce((sum, { height, width }) => sum + height * width, 0);
}

/**
 * Tokens as the bytes of a token file, little-endian:
 *
 * | byte | size | field |
 * |---|---|---|
 * | 0 | 4 | magic `CODA` |
 * | 4 | 2 | format version: 2 where there are flags, else 1 |
 * | 6 | 2 | number of scales S, at least 1 |
 * | 8 | 16 | model id: the first half of the weights' SHA-256 |
 * | 24 | 4 + 4 | width and height of the original image in pixels |
 * | 32 | 4 + 4 | width and height of the image that the grids cover |
 * | 40 | 4 | codebook size V, 1 to 2²⁴ |
 * | 44 | F | flags, in version 2 alone: F is 4 there, else 0 |
 * | 44 + F | S × (2 + 2) | height and width of each scale's grid, coarse to fine |
 * | 44 + F + 4S | ⌈N·b / 8⌉ | N indices of b = max(1, ⌈log₂ V⌉) bits, scale by scale, row-major |
 * | the last 4 | 4 | CRC-32 of every byte before it |
 *
 * N is the sum of the grids' areas. Indices follow each other without gaps, lowest bit first: bit j
 * of the stream is bit j mod 8 of byte ⌊j/8⌋; what is left of the last byte is zero. Nothing follows
 * the checksum. Bit 0 of the flags says that the model was in half; the others are zero. What needs none is
 * written as version 1, which the first programs read too; they refuse version 2 by its number. A file with
 * a prefix of a model's scales is a valid file of a coarser image.
 *
 * @param tokens The tokens. A `modelId` of 64 digits is cut to its first 32.
 * @throws {RangeError} If sizes, counts or indices are out of range or do not fit each other.
 *
 * @example
 * ```ts
 * import { decodeTokens, encodeTokens } from "@coda/tokenizer";
 *
 * const bytes = encodeTokens({
 *   width: 16,
 *   height: 8,
 *   codebookSize: 1024,
 *   modelId: "0123456789abcdef0123456789abcdef",
 *   grids: [{ height: 1, width: 1 }, { height: 1, width: 2 }],
 *   indices: [new Uint32Array([7]), new Uint32Array([1023, 0])],
 * });
 * console.assert(bytes.length === 44 + 2 * 4 + 4 + 4);
 * console.assert(decodeTokens(bytes).indices[1][0] === 1023);
 * ```
 */
export function encodeTokens(tokens: Tokens): Uint8Array<ArrayBuffer> {
  const problem = headerProblem(tokens) ?? indicesProblem(tokens);
  if (problem !== undefined) throw new RangeError(`tokens cannot be stored: the file ${problem}`);
  const { width, height, codebookSize, grids, indices } = tokens;
  const decoded = tokens.decoded ?? { width, height };
  const id = parseModelId(tokens.modelId);
  const packed = packBits(indices, bitsPerIndex(codebookSize));
  const version = tokens.half ? 2 : 1;
  const start = gridsAt(version);
  const packedAt = start + GRID_BYTES * grids.length;
  const bytes = new Uint8Array(packedAt + packed.length + CHECKSUM_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, 0);
  view.setUint16(4, version, true);
  view.setUint16(6, grids.length, true);
  bytes.set(id, 8);
  [width, height, decoded.width, decoded.height, codebookSize].forEach((value, i) =>
    view.setUint32(24 + 4 * i, value, true)
  );
  if (tokens.half) view.setUint32(FIXED_BYTES, HALF_FLAG, true);
  grids.forEach((grid, s) => {
    view.setUint16(start + GRID_BYTES * s, grid.height, true);
    view.setUint16(start + GRID_BYTES * s + 2, grid.width, true);
  });
  bytes.set(packed, packedAt);
  const checked = bytes.subarray(0, -CHECKSUM_BYTES);
  view.setUint32(checked.length, crc32(checked), true);
  return bytes;
}

/** Refuses what is not a token file of a version read here, cut short before its grids' end. */
function checkBeginning(bytes: Uint8Array, view: DataView, file: string): void {
  if (bytes.length < 4 || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw new TokenFileError(file, "is not a token file; it should begin with CODA");
  }
  const version = bytes.length < 6 ? 1 : view.getUint16(4, true);
  if (version > TOKEN_FORMAT_VERSION) {
    throw new TokenFileError(
      file,
      `is of format version ${version}, this program reads up to ${TOKEN_FORMAT_VERSION}; ` +
        `update the program`,
    );
  }
  if (version === 0) {
    throw new TokenFileError(file, "is of format version 0, which never was; it is damaged");
  }
  const scales = bytes.length < 8 ? 0 : view.getUint16(6, true);
  requireLength(bytes, gridsAt(version) + GRID_BYTES * scales + CHECKSUM_BYTES, file);
}

/** The flags of a file that has some. @throws {TokenFileError} where one is not known. */
function readFlags(view: DataView, version: number, file: string): number {
  const flags = version === 1 ? 0 : view.getUint32(FIXED_BYTES, true);
  if (flags <= HALF_FLAG) return flags;
  throw new TokenFileError(
    file,
    `has flags ${flags}, this program knows up to ${HALF_FLAG}; update the program`,
  );
}

function requireLength(bytes: Uint8Array, needed: number, file: string): void {
  if (bytes.length >= needed) return;
  throw new TokenFileError(
    file,
    `ends at byte ${bytes.length}, its header asks for ${needed} or more; ` +
      `it is cut short or damaged, make it again`,
  );
}

/** Everything before the indices. */
function readHeader(bytes: Uint8Array, view: DataView, flags: number): Omit<Tokens, "indices"> {
  const u32 = (at: number) => view.getUint32(at, true);
  const u16 = (at: number) => view.getUint16(at, true);
  const [width, height] = [u32(24), u32(28)];
  const decoded = { width: u32(32), height: u32(36) };
  const start = gridsAt(u16(4));
  const same = decoded.width === width && decoded.height === height;
  return {
    width,
    height,
    ...(same ? {} : { decoded }),
    codebookSize: u32(40),
    modelId: bytes.subarray(8, 24).toHex(),
    ...(flags & HALF_FLAG ? { half: true } : {}),
    grids: Array.from({ length: u16(6) }, (_, s) => {
      const at = start + GRID_BYTES * s;
      return { height: u16(at), width: u16(at + 2) };
    }),
  };
}

function checkSum(bytes: Uint8Array, view: DataView, file: string): void {
  const checked = bytes.subarray(0, -CHECKSUM_BYTES);
  const found = crc32(checked);
  const stored = view.getUint32(checked.length, true);
  if (found === stored) return;
  const hex = (n: number) => n.toString(16).padStart(8, "0");
  throw new TokenFileError(
    file,
    `has checksum ${hex(found)}, it says ${hex(stored)}: bytes have changed; ` +
      `copy it again or make it again`,
  );
}

/**
 * Tokens from the bytes of a token file, see {@link encodeTokens}. All counts are checked against
 * the number of bytes before memory is taken for them.
 *
 * @param bytes The whole file.
 * @param options `file`: its name, for messages.
 * @throws {TokenFileError} If it is not a token file, is of a newer version, is cut short, has bytes
 * too many, has changed bytes, or holds a value out of range.
 *
 * @example
 * ```ts
 * import { decodeTokens, TokenFileError } from "@coda/tokenizer";
 *
 * try {
 *   decodeTokens(new Uint8Array([1, 2, 3]), { file: "a.coda" });
 * } catch (error) {
 *   console.assert(error instanceof TokenFileError);
 * }
 * ```
 */
export function decodeTokens(bytes: Uint8Array, options: { file?: string } = {}): Tokens {
  const file = options.file ?? "(bytes)";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  checkBeginning(bytes, view, file);
  const version = view.getUint16(4, true);
  const header = readHeader(bytes, view, readFlags(view, version, file));
  const broken = headerProblem(header);
  if (broken !== undefined) {
    throw new TokenFileError(file, `${broken}; it is damaged, make it again`);
  }
  const bits = bitsPerIndex(header.codebookSize);
  const packedAt = gridsAt(version) + GRID_BYTES * header.grids.length;
  const packedEnd = packedAt + packedLength(tokenCount(header.grids), bits);
  requireLength(bytes, packedEnd + CHECKSUM_BYTES, file);
  if (bytes.length > packedEnd + CHECKSUM_BYTES) {
    throw new TokenFileError(
      file,
      `has ${bytes.length} bytes, its header asks for ${packedEnd + CHECKSUM_BYTES}; ` +
        `something was added or it is damaged, make it again`,
    );
  }
  checkSum(bytes, view, file);
  const { arrays: indices, rest } = unpackBits(
    bytes.subarray(packedAt, packedEnd),
    bits,
    header.grids.map(({ height, width }) => height * width),
  );
  const tokens = { ...header, indices };
  const wrong = indicesProblem(tokens) ??
    (rest === 0 ? undefined : "has set bits after its indices");
  if (wrong !== undefined) throw new TokenFileError(file, `${wrong}; make it again`);
  return tokens;
}
