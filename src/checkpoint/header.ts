import { BYTES_PER_ELEMENT } from "./dtype.ts";
import { CheckpointError, quote } from "./errors.ts";
import { endOfString, parseJson } from "./json.ts";
import { MAX_HEADER_BYTES, MAX_NAME, MAX_RANK, MAX_TENSORS } from "./limits.ts";
import { tooManyTensors } from "./source.ts";

/** Where a tensor's bytes are, counted from the end of the header. */
export interface HeaderEntry {
  /** Lower-case dtype, e.g. `"f16"`. */
  readonly dtype: string;
  /** The tensor's shape; empty for a scalar. */
  readonly shape: readonly number[];
  /** First byte. */
  readonly begin: number;
  /** One past the last byte. */
  readonly end: number;
}

/** A validated safetensors header. */
export interface Header {
  /** Free-form text from the file's `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Tensors by name, in the file's order of bytes. */
  readonly entries: ReadonlyMap<string, HeaderEntry>;
}

/** Reads the length at the start of a file of `fileSize` bytes and checks it. */
export function headerLength(prefix: Uint8Array, fileSize: number, file: string): number {
  if (fileSize < 8) {
    throw new CheckpointError(
      file,
      `has ${fileSize} bytes, a safetensors file has at least 8; it is not one or is cut short`,
    );
  }
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength);
  const length = view.getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw new CheckpointError(
      file,
      `says its header has ${length} bytes, at most ${MAX_HEADER_BYTES} are read; ` +
        "it is not a safetensors file, or describes far more than weights",
    );
  }
  if (Number(length) > fileSize - 8) {
    throw new CheckpointError(
      file,
      `says its header has ${length} bytes but only ${fileSize - 8} follow; ` +
        `it is cut short or not a safetensors file, fetch it again`,
    );
  }
  return Number(length);
}

function parseObject(bytes: Uint8Array, file: string): Record<string, unknown> {
  let value: unknown;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    value = parseJson(text);
  } catch (cause) {
    throw new CheckpointError(
      file,
      "has a header that is not JSON; it is damaged or not a safetensors file",
      { cause },
    );
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new CheckpointError(file, "has a header that is not a JSON object; write it again");
  }
  const twice = duplicateKey(text);
  if (twice !== undefined) {
    throw new CheckpointError(
      file,
      `has the key ${quote(twice)} twice in its header; write it again`,
    );
  }
  return value as Record<string, unknown>;
}

/** The first key that an object of valid JSON `text` holds twice, which JSON.parse lets pass. */
function duplicateKey(text: string): string | undefined {
  const open: Set<string>[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === "{") open.push(new Set());
    else if (c === "}") open.pop();
    else if (c === '"') {
      const end = endOfString(text, i);
      if (isKey(text, end)) {
        const key = JSON.parse(text.slice(i, end)) as string;
        const keys = open[open.length - 1];
        if (keys.has(key)) return key;
        keys.add(key);
      }
      i = end - 1;
    }
  }
  return undefined;
}

function isKey(text: string, end: number): boolean {
  while (" \t\n\r".includes(text[end])) end++;
  return text[end] === ":";
}

function parseMetadata(value: unknown, file: string): Record<string, string> {
  if (value === undefined) return {};
  const ok = typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.values(value).every((v) => typeof v === "string");
  if (!ok) {
    throw new CheckpointError(
      file,
      "has a __metadata__ that is not a map of texts; write it again",
    );
  }
  return { ...value } as Record<string, string>;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The number of elements of `shape`, or undefined where it is beyond what a number counts. */
function elements(shape: readonly number[]): number | undefined {
  if (shape.includes(0)) return 0;
  let size = 1;
  for (const n of shape) {
    size *= n;
    if (!Number.isSafeInteger(size)) return undefined;
  }
  return size;
}

function parseEntry(name: string, value: unknown, dataSize: number, file: string): HeaderEntry {
  const fail = (problem: string) => new CheckpointError(file, problem, { tensor: name });
  if (name.length > MAX_NAME) {
    throw fail(`has a name of ${name.length} characters, expected at most ${MAX_NAME}`);
  }
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  const kind = typeof dtype === "string" ? dtype.toLowerCase() : "";
  const width = BYTES_PER_ELEMENT.get(kind);
  if (width === undefined) {
    const found = JSON.stringify(dtype)?.slice(0, 40) ?? "none";
    throw fail(`has dtype ${found}, expected a known one; convert it to F32`);
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw fail("has a shape that is not a list of sizes; write the file again");
  }
  if (shape.length > MAX_RANK) {
    throw fail(`has ${shape.length} dimensions, expected at most ${MAX_RANK}`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw fail("has data_offsets that are not two byte positions; write the file again");
  }
  const [begin, end] = offsets;
  if (begin > end || end > dataSize) {
    throw fail(
      `has bytes ${begin} to ${end}, but the file holds ${dataSize} bytes of data; ` +
        `it is cut short or damaged, fetch it again`,
    );
  }
  const count = elements(shape);
  if (count === undefined || count * width !== end - begin) {
    throw fail(
      `has ${end - begin} bytes, its shape [${shape.join(", ")}] of ${dtype} needs ` +
        `${count === undefined ? "more than can be counted" : count * width}; write the file again`,
    );
  }
  return { dtype: kind, shape: [...shape], begin, end };
}

/** Checks that the tensors cover the data from its first byte to its last, each byte once. */
function checkCover(entries: [string, HeaderEntry][], dataSize: number, file: string): void {
  let covered = 0;
  let before = "";
  for (const [name, { begin, end }] of entries) {
    if (begin < covered) {
      throw new CheckpointError(
        file,
        `begins at byte ${begin}, inside tensor ${quote(before)}, which ends at ${covered}; ` +
          `write the file again`,
        { tensor: name },
      );
    }
    if (begin > covered) {
      throw new CheckpointError(
        file,
        `begins at byte ${begin}, but the bytes before it end at ${covered}: the file has a hole; ` +
          `write the file again`,
        { tensor: name },
      );
    }
    covered = end;
    before = name;
  }
  if (covered !== dataSize) {
    throw new CheckpointError(
      file,
      `holds ${dataSize} bytes of data, its tensors take ${covered}; it is damaged, fetch it again`,
    );
  }
}

/**
 * Parses a safetensors header (without the length before it) and checks all it says against the
 * number of data bytes that follow.
 */
export function parseHeader(bytes: Uint8Array, dataSize: number, file: string): Header {
  const { __metadata__: metadata, ...tensors } = parseObject(bytes, file);
  const all = Object.entries(tensors);
  if (all.length > MAX_TENSORS) throw tooManyTensors(all.length, file);
  const entries = all.map(([name, value]): [string, HeaderEntry] => [
    name,
    parseEntry(name, value, dataSize, file),
  ]);
  entries.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  checkCover(entries, dataSize, file);
  return { metadata: parseMetadata(metadata, file), entries: new Map(entries) };
}
