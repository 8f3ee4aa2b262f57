/**
 * This library beside TensorFlow.js, jax-js and onnxruntime-web, all on WebGPU in Deno:
 * `deno run -A bench/rivals.ts`, with `--json` for `{ adapter, rows: [{ name, ours, rivals }], notRun }`
 * in seconds, and with `--only PATTERN` for the rows whose names match.
 *
 * Each library has a process of its own. They take turns, row by row and round by round, so that a
 * machine that slows down slows all of them; the median of 7 rounds counts. A library that does not
 * start here is named with the reason.
 *
 * @module
 */
import { median } from "./median.ts";
import type { Request } from "./rivals/serve.ts";
import { works } from "./rivals/work.ts";

const ROUNDS = 7;

/** One row of the result, in seconds. */
export interface Row {
  name: string;
  ours: number;
  rivals: Record<string, number>;
}

const RIVALS: Readonly<Record<string, string>> = {
  "tfjs": "./rivals/tfjs.ts",
  "jax-js": "./rivals/jax.ts",
  "onnxruntime-web": "./rivals/ort.ts",
};

/** A library in a process of its own that answers one request at a time. */
class Contestant {
  readonly name: string;
  #process: Deno.ChildProcess;
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #lines: AsyncIterator<string>;
  #errors: Promise<string>;

  constructor(name: string, module: string) {
    this.name = name;
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-lock", "--quiet", new URL(module, import.meta.url).href],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#writer = this.#process.stdin.getWriter();
    this.#lines = lines(this.#process.stdout);
    this.#errors = this.#process.stderr.text();
  }

  async ask<T>(request: Request): Promise<T> {
    await this.#writer.write(new TextEncoder().encode(JSON.stringify(request) + "\n"));
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.name} stopped: ${lastError(await this.#errors)}`);
    return JSON.parse(value);
  }

  async close(): Promise<void> {
    await this.#writer.close();
    await Promise.all([this.#errors, this.#process.status]);
  }
}

/** What Deno says of an error that was not caught, without its trace; else all there is. */
function lastError(text: string): string {
  return text.match(/^error: (?:Uncaught )?(?:\(in promise\) )?(.*)$/m)?.[1] ?? text.trim();
}

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const found = (text + chunk).split("\n");
    text = found.pop()!;
    yield* found;
  }
}

/** Runs row `index` in every library that can do it, checks that the results agree, and measures. */
async function measure(ours: Contestant, rivals: Contestant[], index: number): Promise<Row> {
  const { name } = works[index];
  progress(`${name}: results`);
  const expected = await ours.ask<number[]>({ ask: "sample", row: index });
  const able: Contestant[] = [];
  for (const rival of rivals) {
    const found = await rival.ask<number[] | null>({ ask: "sample", row: index });
    if (!found) continue;
    compare(name, rival.name, expected, found);
    able.push(rival);
  }
  const all = [ours, ...able];
  const times = all.map((): number[] => []);
  for (let round = 0; round <= ROUNDS; round++) { // the first warms up
    progress(`${name}: ${round === 0 ? "warm-up" : `round ${round} of ${ROUNDS}`}`);
    for (const [i, contestant] of all.entries()) {
      const seconds = await contestant.ask<number>({ ask: "time", row: index });
      if (round > 0) times[i].push(seconds);
    }
  }
  const [first, ...others] = times.map(median);
  const named = others.map((seconds, i) => [able[i].name, seconds]);
  return { name, ours: first, rivals: Object.fromEntries(named) };
}

function compare(row: string, rival: string, ours: number[], theirs: number[]): void {
  const scale = Math.max(...ours.map(Math.abs));
  const worst = Math.max(...ours.map((value, i) => Math.abs(value - theirs[i])));
  if (ours.length !== theirs.length || !(worst <= 1e-4 * scale)) {
    throw new Error(`${row}: ${rival} differs from ours by ${worst}, at values up to ${scale}`);
  }
}

function progress(text: string): void {
  const line = Deno.stderr.isTerminal() ? `\r\x1b[K${text}` : `${text}\n`;
  Deno.stderr.writeSync(new TextEncoder().encode(line));
}

/** Starts the rivals; those that do not start are told apart, with the reason. */
async function started(): Promise<{ rivals: Contestant[]; notRun: Record<string, string> }> {
  const rivals: Contestant[] = [];
  const notRun: Record<string, string> = {};
  for (const [name, module] of Object.entries(RIVALS)) {
    const rival = new Contestant(name, module);
    try {
      await rival.ask({ ask: "adapter" });
      rivals.push(rival);
    } catch (error) {
      notRun[name] = (error as Error).message;
    }
  }
  return { rivals, notRun };
}

/** Numbers of the rows that `--only PATTERN` leaves. */
function wanted(): number[] {
  const at = Deno.args.indexOf("--only");
  const pattern = new RegExp(at < 0 ? "" : Deno.args[at + 1] ?? "", "i");
  return [...works.keys()].filter((index) => pattern.test(works[index].name));
}

function table(adapter: string, rows: Row[], notRun: Record<string, string>): string {
  const names = [...new Set(rows.flatMap(({ rivals }) => Object.keys(rivals)))];
  const ms = (seconds?: number) => seconds === undefined ? "–" : (1000 * seconds).toFixed(1);
  const body = rows.map(({ name, ours, rivals }) => [
    name,
    ms(ours),
    ...names.map((rival) => ms(rivals[rival])),
    `${(Math.min(...Object.values(rivals)) / ours).toFixed(2)} ×`,
  ]);
  const all = [["", "ours, ms", ...names.map((name) => `${name}, ms`), "faster by"], ...body];
  const widths = all[0].map((_, i) => Math.max(...all.map((row) => row[i].length)));
  const text = all.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  ")
  );
  const missing = Object.entries(notRun).map(([name, why]) => `not run: ${name}: ${why}`);
  const title = `${adapter}, median of ${ROUNDS}; "faster by" is against the fastest rival`;
  return [title, ...text, ...missing].join("\n");
}

if (import.meta.main) {
  const ours = new Contestant("ours", "./rivals/ours.ts");
  const adapter = await ours.ask<string>({ ask: "adapter" });
  const { rivals, notRun } = await started();
  const rows: Row[] = [];
  for (const index of wanted()) rows.push(await measure(ours, rivals, index));
  progress("");
  console.log(
    Deno.args.includes("--json")
      ? JSON.stringify({ adapter, rows, notRun }, null, 2)
      : table(adapter, rows, notRun),
  );
  await Promise.all([ours, ...rivals].map((contestant) => contestant.close()));
}
