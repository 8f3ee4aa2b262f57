import { packBits, packedLength, unpackBits } from "../tokens/bits.ts";
import { bitsPerIndex } from "../tokens/tokens.ts";
import type { ImageQuality, MeasuredImage } from "./measure.ts";

/** What tells whether a file is still the one that was measured. */
export interface FileStamp {
  /** Its bytes. */
  readonly size: number;
  /** When it was changed, in milliseconds; null where the system does not say. */
  readonly mtime: number | null;
}

/** An image as it is kept, with its file's stamp. */
export interface StampedImage {
  /** What was measured. */
  readonly image: MeasuredImage;
  /** Its file then. */
  readonly stamp: FileStamp;
}

/** What the lines of one evaluation have in common. */
export interface LineShape {
  /** V. */
  readonly codebookSize: number;
  /** Whether prefixes of the scales are measured. */
  readonly byScale: boolean;
  /** Whether LPIPS is measured. */
  readonly lpips: boolean;
  /** The networks with how many features each has. */
  readonly networks: Readonly<Record<string, number>>;
}

/** An image's line. */
interface Line extends FileStamp {
  file: string;
  width: number;
  height: number;
  continuous: ImageQuality;
  discrete: ImageQuality;
  prefixes: MeasuredImage["prefixes"];
  /** How many codes each scale has. */
  counts: number[];
  /** The codes, packed as in token files, in base64. */
  codes: string;
  /** By network, the features of the three images one after the other: f32 in base64. */
  features: Record<string, string>;
}

/** The original, the continuous image and the discrete one. */
const SETS = 3;

/** An image as a line of JSON, with its line break. */
export function lineOf({ image, stamp }: StampedImage, { codebookSize }: LineShape): string {
  const { indices, features, ...values } = image;
  const line: Line = {
    ...values,
    ...stamp,
    counts: indices.map(({ length }) => length),
    codes: packBits(indices, bitsPerIndex(codebookSize)).toBase64(),
    features: Object.fromEntries(
      Object.entries(features).map(([name, rows]) => [name, textOf(rows)]),
    ),
  };
  return `${JSON.stringify(line)}\n`;
}

/**
 * The image of a line.
 *
 * @throws {SyntaxError} where it is none of an evaluation of this shape; the message says what is wrong.
 */
export function parseLine(text: string, shape: LineShape): StampedImage {
  const line: unknown = JSON.parse(text);
  expect(isRecord(line), "is no object");
  const { file, width, height, size, mtime, continuous, discrete, prefixes } = line;
  expect(typeof file === "string", "names no file");
  expect(isCount(width) && isCount(height) && width * height > 0, "has no width and height");
  expect(isCount(size) && (mtime === null || isNumber(mtime)), "has no size and time of its file");
  expect(isQuality(continuous, shape) && isQuality(discrete, shape), "lacks a measure");
  const indices = indicesOf(line, shape.codebookSize);
  const ofPixels = { lpips: false };
  expect(
    Array.isArray(prefixes) && prefixes.every((found) => isQuality(found, ofPixels)) &&
      prefixes.length === (shape.byScale ? indices.length - 1 : 0),
    "has not the prefixes of its scales",
  );
  const features = featuresOf(line, shape.networks);
  const image = { file, width, height, continuous, discrete, prefixes, indices, features };
  return { image, stamp: { size, mtime } };
}

function indicesOf({ counts, codes }: Record<string, unknown>, codebookSize: number) {
  expect(Array.isArray(counts) && counts.length > 0 && counts.every(isCount), "has no counts");
  const bits = bitsPerIndex(codebookSize);
  const bytes = bytesOf(codes, packedLength(counts.reduce((sum, n) => sum + n, 0), bits), "codes");
  const { arrays } = unpackBits(bytes, bits, counts);
  expect(
    arrays.every((codes) => codes.every((code) => code < codebookSize)),
    `has codes beyond the codebook's ${codebookSize}`,
  );
  return arrays;
}

function featuresOf(
  { features }: Record<string, unknown>,
  networks: LineShape["networks"],
): Record<string, Float32Array[]> {
  expect(isRecord(features), "has no features");
  return Object.fromEntries(
    Object.entries(networks).map(([name, length]) => {
      const { buffer } = bytesOf(features[name], SETS * length * 4, `features of ${name}`);
      const rows = Array.from(
        { length: SETS },
        (_, set) => new Float32Array(buffer, set * length * 4, length),
      );
      return [name, rows];
    }),
  );
}

function textOf(rows: readonly Float32Array[]): string {
  const all = new Float32Array(rows.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const row of rows) {
    all.set(row, at);
    at += row.length;
  }
  return new Uint8Array(all.buffer).toBase64();
}

function bytesOf(text: unknown, length: number, what: string): Uint8Array<ArrayBuffer> {
  expect(typeof text === "string", `has no ${what}`);
  const bytes = Uint8Array.fromBase64(text);
  expect(bytes.length === length, `has ${bytes.length} bytes of ${what}, expected ${length}`);
  return bytes;
}

function isQuality(
  value: unknown,
  { lpips }: { readonly lpips: boolean },
): value is ImageQuality {
  return isRecord(value) && (value.psnr === null || isNumber(value.psnr)) &&
    isNumber(value.ssim) && (lpips ? isNumber(value.lpips) : value.lpips === undefined);
}

function isNumber(value: unknown): value is number {
  return typeof value === "number";
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function expect(holds: boolean, problem: string): asserts holds {
  if (!holds) throw new SyntaxError(problem);
}
