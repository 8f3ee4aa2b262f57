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
    try {
      const text = await Deno.readTextFile(this.#path);
      return text.split("\n").flatMap(parsed);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  /** Drops what a run wrote after its last save: lines beyond `step`, and one cut short. */
  async truncate(step: number): Promise<void> {
    const lines = (await this.lines()).filter((line) => line.step <= step);
    await writeFileAtomic(this.#path, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
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
