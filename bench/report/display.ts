import { formatDuration } from "../../src/cli/format.ts";

/** A line on stderr: which row is under way, and how long the rest may take. */
export class Display implements Disposable {
  #start = performance.now();
  #count: number;
  #done = 0;

  /** `count`: how many rows there are. */
  constructor(count: number) {
    this.#count = count;
  }

  /** Says what begins. */
  show(what: string): void {
    const seconds = (performance.now() - this.#start) / 1000;
    write(lineOf(what, { done: this.#done, count: this.#count, seconds }), "\n");
  }

  /** Counts what was shown last as done. */
  done(): void {
    this.#done++;
  }

  /** Clears the line where it can be. */
  [Symbol.dispose](): void {
    write("", "");
  }
}

/** The line; what is left is guessed from the mean of the rows that are done. */
export function lineOf(
  what: string,
  { done, count, seconds }: { done: number; count: number; seconds: number },
): string {
  const left = done === 0 ? "" : `, about ${formatDuration(seconds / done * (count - done))} left`;
  return `${done} of ${count} rows${left} · ${what}`;
}

function write(line: string, end: string): void {
  const text = Deno.stderr.isTerminal() ? `\r\x1b[K${line}` : line + end;
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}
