import { join, resolve } from "@std/path";
import { appendFile, makeFolder, writeFileAtomic } from "../checkpoint/atomic.ts";
import { RunError } from "../train/errors.ts";
import { lockFolder } from "../train/folder_lock.ts";
import { linesOf } from "./lines.ts";
import type { MeasuredImage } from "./measure.ts";
import { type FileStamp, lineOf, type LineShape, parseLine } from "./result_line.ts";

/** What must be the same where an evaluation goes on. */
export interface EvaluationSettings extends LineShape {
  /** The tokenizer's id. */
  readonly model: string;
  /** Whether it is stored in 16 bits. */
  readonly half: boolean;
  /** The tokenizer's scale and shift of latents, which its id does not tell. */
  readonly scaling: readonly [scale: number, shift: number];
  /** The id of the continuous VAE, whatever it is called. */
  readonly continuous: string;
  /** The protocol's name. */
  readonly protocol: string;
  /** What decides crops and samples. */
  readonly seed: number;
  /** The ids of the networks that judge, whose files are the user's. */
  readonly judges: Readonly<Record<string, string>>;
}

/**
 * The results of an evaluation, image by image: `images.jsonl`, a line each, which is written at once.
 * Of a file that has changed the line does not count. Until it is disposed nobody else can open it.
 */
export class EvaluationFolder implements Disposable {
  /** Where it is. */
  readonly path: string;
  #settings: EvaluationSettings;
  #lock: Disposable;
  /** The files to be measured as they were at the beginning, by the names that they were given. */
  #stamps = new Map<string, FileStamp>();

  private constructor(path: string, settings: EvaluationSettings, lock: Disposable) {
    this.path = path;
    this.#settings = settings;
    this.#lock = lock;
  }

  /** Lets others open it. */
  [Symbol.dispose](): void {
    this.#lock[Symbol.dispose]();
  }

  /**
   * Makes the folder, or opens one to go on.
   *
   * @throws {RunError} where it was begun with other settings, is another program's, or another
   * evaluation is writing it.
   * @throws {WriteError} where it cannot be written.
   */
  static async open(path: string, settings: EvaluationSettings): Promise<EvaluationFolder> {
    await makeFolder(path);
    const folder = new EvaluationFolder(path, settings, await lockFolder(path));
    try {
      await folder.#settle();
      return folder;
    } catch (error) {
      folder[Symbol.dispose]();
      throw error;
    }
  }

  /** Writes down the settings, or finds the same ones. */
  async #settle(): Promise<void> {
    const file = join(this.path, "settings.json");
    const text = JSON.stringify(this.#settings, null, 2) + "\n";
    const before = await Deno.readTextFile(file).catch(undefinedIfMissing);
    if (before === undefined) {
      if (await Deno.stat(this.#imagesFile).catch(undefinedIfMissing)) {
        throw new RunError(
          this.path,
          "is no evaluation's folder, but has an images.jsonl; name another",
        );
      }
      await writeFileAtomic(file, text);
    } else if (before !== text) {
      throw new RunError(
        this.path,
        `${difference(before, this.#settings)}; name another folder`,
      );
    }
  }

  /**
   * Those of some files' images that were measured, one after the other, under the names given here; a
   * line that was cut short at the end is dropped from the file.
   *
   * @throws {RunError} where another line is damaged.
   */
  async *images(files: readonly string[]): AsyncGenerator<MeasuredImage> {
    const names = new Map<string, string>();
    for (const file of files) {
      names.set(resolve(file), file);
      const info = await Deno.stat(file).catch(() => undefined); // who loads it says what is wrong
      if (info) this.#stamps.set(file, stampOf(info));
    }
    let [count, end] = [0, 0];
    for await (const line of linesOf(this.#imagesFile)) {
      [count, end] = [count + 1, line.end];
      const { image, stamp } = this.#parsed(line.text, count);
      const file = names.get(image.file);
      if (file === undefined || !isSame(this.#stamps.get(file), stamp)) continue;
      names.delete(image.file);
      yield { ...image, file };
    }
    const info = await Deno.stat(this.#imagesFile).catch(undefinedIfMissing);
    if (info && info.size > end) await Deno.truncate(this.#imagesFile, end);
  }

  /** Adds an image. @throws {WriteError} where there is no room. */
  async append(image: MeasuredImage): Promise<void> {
    const stamp = this.#stamps.get(image.file) ?? stampOf(await Deno.stat(image.file));
    const line = lineOf(
      { image: { ...image, file: resolve(image.file) }, stamp },
      this.#settings,
    );
    await appendFile(this.#imagesFile, new TextEncoder().encode(line));
  }

  get #imagesFile(): string {
    return join(this.path, "images.jsonl");
  }

  #parsed(text: string, number: number) {
    try {
      return parseLine(text, this.#settings);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new RunError(
        this.#imagesFile,
        `line ${number} is damaged (${error.message}); delete the line, or name another folder`,
        { cause: error },
      );
    }
  }
}

function stampOf({ size, mtime }: Deno.FileInfo): FileStamp {
  return { size, mtime: mtime?.getTime() ?? null };
}

function isSame(a: FileStamp | undefined, b: FileStamp): boolean {
  return a?.size === b.size && a.mtime === b.mtime;
}

/** Why a folder with these settings is not gone on with: which differ, each as it was. */
function difference(before: string, settings: EvaluationSettings): string {
  try {
    const old: Record<string, unknown> = JSON.parse(before);
    if (typeof old?.protocol !== "string") return "has a settings.json that is no evaluation's";
    const changed = Object.entries(settings).filter(([name, value]) =>
      JSON.stringify(old[name]) !== JSON.stringify(value)
    );
    const texts = changed.map(([name]) => {
      const text = `${name} ${JSON.stringify(old[name]) ?? "not said"}`;
      return name === "byScale" && settings.byScale ? `${text} (a report needs true)` : text;
    });
    return `was begun with ${texts.join(", ") || "other settings"}`;
  } catch {
    return "has a settings.json that is damaged";
  }
}

function undefinedIfMissing(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
  return undefined;
}
