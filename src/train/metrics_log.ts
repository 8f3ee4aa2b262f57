import { appendFile, writeFileAtomic } from "../checkpoint/atomic.ts";

/** A line: what was found at a step. */
export interface MetricsLine {
  /** The step. */
  readonly step: number;
  readonly [name: string]: unknown;
}

/** Lines of JSON in a file, one a report. */
export class MetricsLog {
  #path: string;

  /** The file is made with the first line. */
  constructor(path: string) {
    this.#path = path;
  }

  /** Adds a line. @throws {WriteError} where there is no room. */
  async append<Line extends { readonly step: number }>(line: Line): Promise<void> {
    await appendFile(this.#path, new TextEncoder().encode(`${JSON.stringify(line)}\n`));
  }

  /** The lines so far, without one that was cut short. */
  async lines(): Promise<MetricsLine[]> {
    return (await this.#text() ?? "").split("\n").flatMap(parsed);
  }

  /** Drops what a run wrote after its last save: lines beyond `step`, and one cut short. */
  async truncate(step: number): Promise<void> {
    const text = await this.#text();
    if (text === undefined) return;
    const lines = text.split("\n").flatMap(parsed).filter((line) => line.step <= step);
    await writeFileAtomic(this.#path, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  }

  /** What is in the file; undefined where there is none. */
  async #text(): Promise<string | undefined> {
    try {
      return await Deno.readTextFile(this.#path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }
}

function parsed(text: string): MetricsLine[] {
  try {
    const line = JSON.parse(text);
    return Number.isInteger(line.step) ? [line] : [];
  } catch {
    return [];
  }
}
