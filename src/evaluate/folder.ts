import { join } from "@std/path";
import { appendFile, makeFolder, writeFileAtomic } from "../checkpoint/atomic.ts";
import { packBits, packedLength, unpackBits } from "../tokens/bits.ts";
import { bitsPerIndex } from "../tokens/tokens.ts";
import { RunError } from "../train/errors.ts";
import { linesOf } from "./lines.ts";
import type { ImageQuality, MeasuredImage } from "./measure.ts";

/** What must be the same where an evaluation goes on. */
export interface EvaluationSettings {
  /** The tokenizer's id. */
  readonly model: string;
  /** Whether it is stored in 16 bits. */
  readonly half: boolean;
  /** V. */
  readonly codebookSize: number;
  /** What the continuous VAE is called. */
  readonly continuous: string;
  /** The protocol's name. */
  readonly protocol: string;
  /** What decides crops and samples. */
  readonly seed: number;
  /** Whether prefixes of the scales are measured. */
  readonly byScale: boolean;
  /** Whether LPIPS is measured. */
  readonly lpips: boolean;
  /** The networks with how many features each has. */
  readonly networks: Readonly<Record<string, number>>;
}

/** An image's line. */
interface Line {
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
}

/** The original, the continuous image and the discrete one. */
const SETS = 3;

/**
 * The results of an evaluation, image by image: `images.jsonl` and for each network `NAME.f32`, the
 * features. An image's line comes last; what was written without one does not count.
 */
export class EvaluationFolder {
  /** Where it is. */
  readonly path: string;
  #settings: EvaluationSettings;

  private constructor(path: string, settings: EvaluationSettings) {
    this.path = path;
    this.#settings = settings;
  }

  /**
   * Makes the folder, or opens one to go on.
   *
   * @throws {RunError} where it was begun with other settings.
   * @throws {WriteError} where it cannot be written.
   */
  static async open(path: string, settings: EvaluationSettings): Promise<EvaluationFolder> {
    await makeFolder(path);
    const file = join(path, "settings.json");
    const text = JSON.stringify(settings, null, 2) + "\n";
    const before = await Deno.readTextFile(file).catch(undefinedIfMissing);
    if (before === undefined) await writeFileAtomic(file, text);
    else if (before !== text) {
      throw new RunError(
        path,
        `was begun with ${differences(before, settings)}; name another folder`,
      );
    }
    return new EvaluationFolder(path, settings);
  }

  /** The images so far, one after the other; what was cut short is dropped from the files. */
  async *images(): AsyncGenerator<MeasuredImage> {
    using files = new DisposableStack();
    const readers = new Map<string, Deno.FsFile>();
    for (const name of Object.keys(this.#settings.networks)) {
      const file = await Deno.open(this.#featuresFile(name)).catch(undefinedIfMissing);
      if (file) readers.set(name, files.use(file));
    }
    let [count, end] = [0, 0];
    for await (const line of linesOf(this.#imagesFile)) {
      const image = await this.#parsed(line.text, readers);
      if (!image) break;
      [count, end] = [count + 1, line.end];
      yield image;
    }
    await this.#truncate(count, end);
  }

  /** Adds an image. @throws {WriteError} where there is no room. */
  async append(image: MeasuredImage): Promise<void> {
    for (const [name, rows] of Object.entries(image.features)) {
      const bytes = rows.map((row) => new Uint8Array(Float32Array.from(row).buffer));
      await appendFile(
        this.#featuresFile(name),
        new Uint8Array(await new Blob(bytes).arrayBuffer()),
      );
    }
    const { indices, features: _, ...values } = image;
    const counts = indices.map(({ length }) => length);
    const codes = packBits(indices, bitsPerIndex(this.#settings.codebookSize)).toBase64();
    const line: Line = { ...values, counts, codes };
    await appendFile(this.#imagesFile, new TextEncoder().encode(`${JSON.stringify(line)}\n`));
  }

  get #imagesFile(): string {
    return join(this.path, "images.jsonl");
  }

  #featuresFile(network: string): string {
    return join(this.path, `${network}.f32`);
  }

  /** The image of a line, with the next features; undefined where either is not whole. */
  async #parsed(
    text: string,
    readers: ReadonlyMap<string, Deno.FsFile>,
  ): Promise<MeasuredImage | undefined> {
    const line = parsedLine(text);
    if (!line) return undefined;
    const { counts, codes, ...values } = line;
    const bits = bitsPerIndex(this.#settings.codebookSize);
    const bytes = Uint8Array.fromBase64(codes);
    if (bytes.length !== packedLength(counts.reduce((sum, n) => sum + n, 0), bits)) {
      return undefined;
    }
    const indices = unpackBits(bytes, bits, counts).arrays;
    const features: Record<string, Float32Array[]> = {};
    for (const [name, length] of Object.entries(this.#settings.networks)) {
      const rows = await readRows(readers.get(name), length);
      if (!rows) return undefined;
      features[name] = rows;
    }
    return { ...values, indices, features };
  }

  async #truncate(count: number, end: number): Promise<void> {
    const sizes = Object.entries(this.#settings.networks).map(([name, length]) =>
      [this.#featuresFile(name), count * SETS * length * 4] as const
    );
    for (const [file, size] of [[this.#imagesFile, end] as const, ...sizes]) {
      const info = await Deno.stat(file).catch(undefinedIfMissing);
      if (info && info.size > size) await Deno.truncate(file, size);
    }
  }
}

async function readRows(
  file: Deno.FsFile | undefined,
  length: number,
): Promise<Float32Array[] | undefined> {
  const values = new Float32Array(SETS * length);
  const bytes = new Uint8Array(values.buffer);
  for (let at = 0; at < bytes.length;) {
    const read = await file?.read(bytes.subarray(at));
    if (!read) return undefined;
    at += read;
  }
  return Array.from({ length: SETS }, (_, i) => values.slice(i * length, (i + 1) * length));
}

function parsedLine(text: string): Line | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // cut short
  }
}

/** Which settings differ, each as it was. */
function differences(before: string, settings: EvaluationSettings): string {
  try {
    const old: Record<string, unknown> = JSON.parse(before);
    const changed = Object.entries(settings).filter(([name, value]) =>
      JSON.stringify(old[name]) !== JSON.stringify(value)
    );
    return changed.map(([name]) => `${name} ${JSON.stringify(old[name])}`).join(", ") ||
      "other settings";
  } catch {
    return "a settings.json that is damaged";
  }
}

function undefinedIfMissing(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
  return undefined;
}
