import { appendFile, writeFileAtomic } from "../checkpoint/atomic.ts";

/** Lines of JSON in a file, one a report. */
export class MetricsLog {
  #path: string;

  /** The file is made with the first line. */
  constructor(path: string) {
    this.#path = path;
  }

  /** Adds a line. @throws {WriteError} where there is no room. */
  async append(line: { readonly step: number }): Promise<void> {
    await appendFile(this.#path, new TextEncoder().encode(`${JSON.stringify(line)}\n`));
  }

  /** Drops what a run wrote after its last save: lines beyond `step`, and one cut short. */
  async truncate(step: number): Promise<void> {
    let text: string;
    try {
      text = await Deno.readTextFile(this.#path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      throw error;
    }
    const lines = text.split("\n").filter((line) => stepOf(line) <= step);
    await writeFileAtomic(this.#path, lines.map((line) => `${line}\n`).join(""));
  }
}

function stepOf(line: string): number {
  try {
    return Number(JSON.parse(line).step);
  } catch {
    return NaN;
  }
}
