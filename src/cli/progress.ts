/** A line on stderr that says how far long work has come. */
import { formatDuration } from "./format.ts";
import { onInterrupt } from "./interrupt.ts";

/** Where progress is written. */
export interface ProgressOutput {
  /** Whether a line can be drawn over. */
  readonly isTerminal: boolean;
  /** The terminal's width in characters. */
  columns(): number;
  /** Writes text as it is. */
  write(text: string): void;
}

/** What a progress line is about. */
export interface ProgressOptions {
  /** The work, for example "encode". */
  label: string;
  /** What is counted, for example "images". */
  unit: string;
  /** How a count or a rate is written, where a number and the unit will not do. */
  format?: (count: number) => string;
  /** How many there are, where that is known. */
  total?: number;
  /** How many were done before, by a run that this one resumes. */
  start?: number;
  /** Shows nothing. */
  quiet?: boolean;
  /** Where to write; default stderr. */
  output?: ProgressOutput;
  /** The time in milliseconds; default `performance.now`. */
  now?: () => number;
}

/** Work that ends sooner than this shows no progress. Milliseconds, like all below. */
const QUIET_TIME = 2_000;
const REDRAW = 100;
const PLAIN_LINE = 10_000;
/** The rate is that of the last while, so that a slow start does not spoil the estimate. */
const RATE_WINDOW = 15_000;

/**
 * Progress of counted work: count, rate and time left, redrawn in place on a terminal, else a plain
 * line now and then. Work of under two seconds shows nothing. Disposing it clears the line.
 */
export class Progress implements Disposable {
  /** How many there are, once that is known. */
  total: number | undefined;
  #options: ProgressOptions;
  #output: ProgressOutput;
  #now: () => number;
  #start: number;
  #shownAt = -Infinity;
  #samples: { time: number; done: number }[];
  #line = "";
  #interrupt: Disposable;

  /** Starts the clock. */
  constructor(options: ProgressOptions) {
    this.#options = options;
    this.total = options.total;
    this.#output = options.output ?? stderrOutput();
    this.#now = options.now ?? (() => performance.now());
    this.#start = this.#now();
    this.#samples = [{ time: this.#start, done: options.start ?? 0 }];
    this.#interrupt = onInterrupt(() => this.#clear());
  }

  /** Says that `done` were done before, so that the rate is that of what follows. */
  begin(done: number): void {
    this.#samples = [{ time: this.#now(), done }];
  }

  /** Says that `done` are done, with anything else worth showing at the end of the line. */
  update(done: number, detail = ""): void {
    if (this.#options.quiet) return;
    const time = this.#now();
    this.#sample(time, done);
    const { isTerminal } = this.#output;
    const due = this.#shownAt + (isTerminal ? REDRAW : PLAIN_LINE);
    if (time - this.#start < QUIET_TIME || time < due) return;
    this.#shownAt = time;
    const line = this.#text(done, detail);
    if (isTerminal) this.#draw(line);
    else this.#output.write(`${line}\n`);
  }

  /** Writes a message above the progress line; --quiet does not silence it. */
  message(text: string): void {
    const line = this.#line;
    this.#clear();
    this.#output.write(`${text}\n`);
    if (line !== "") this.#draw(line);
  }

  /** Clears the line and stops. */
  [Symbol.dispose](): void {
    this.#clear();
    this.#interrupt[Symbol.dispose]();
  }

  #sample(time: number, done: number): void {
    const samples = this.#samples;
    samples.push({ time, done });
    while (samples.length > 2 && time - samples[1].time > RATE_WINDOW) samples.shift();
  }

  #text(done: number, detail: string): string {
    const { total } = this;
    const { label, unit, format } = this.#options;
    const first = this.#samples[0];
    const last = this.#samples[this.#samples.length - 1];
    const rate = (last.done - first.done) / ((last.time - first.time) / 1000);
    const counts = [done, ...total === undefined ? [] : [total]];
    const parts = [
      `${label}  ` + (format ? counts.map(format).join(" of ") : `${counts.join("/")} ${unit}`),
    ];
    if (rate > 0 && Number.isFinite(rate)) {
      parts.push(format ? `${format(rate)}/s` : formatRate(rate, unit));
      if (total !== undefined && total > done) {
        parts.push(`ETA ${formatDuration((total - done) / rate)}`);
      }
    }
    if (detail !== "") parts.push(detail);
    return parts.join("  ");
  }

  #draw(line: string): void {
    const room = Math.max(1, this.#output.columns() - 1);
    this.#line = [...line].slice(0, room).join("");
    this.#output.write(`\r${this.#line}\x1b[K`);
  }

  #clear(): void {
    if (this.#line === "") return;
    this.#line = "";
    this.#output.write("\r\x1b[K");
  }
}

function formatRate(rate: number, unit: string): string {
  const digits = rate < 10 ? 2 : rate < 100 ? 1 : 0;
  return `${rate.toFixed(digits)} ${unit}/s`;
}

function stderrOutput(): ProgressOutput {
  const encoder = new TextEncoder();
  return {
    isTerminal: Deno.stderr.isTerminal(),
    columns() {
      try {
        return Deno.consoleSize().columns;
      } catch {
        return 80; // consoleSize needs stdout, or stdin, to be a terminal too
      }
    },
    write(text) {
      Deno.stderr.writeSync(encoder.encode(text));
    },
  };
}
