import { sampled, type Work, works } from "./work.ts";

/** One row made ready in one library: its operands are on the GPU. */
export interface Prepared {
  /** Sends the work to the GPU once; where a library sends it later, it is waited for. */
  call(): void | Promise<void>;
  /** Waits until the GPU has done all that was sent, and frees the results. */
  finish(): Promise<void>;
  /** The result, row-major, images as NHWC. */
  result(): Promise<ArrayLike<number>>;
}

/** A library under measurement. */
export interface Library {
  /** What it says of the adapter; null where it does not say. */
  adapter: string | null;
  /** Null where the library has no such operation. */
  prepare(work: Work): Prepared | null | Promise<Prepared | null>;
}

/** What the driver asks for, one JSON object a line. */
export type Request =
  | { ask: "adapter" }
  /** Elements of the result, for comparison, null where the library has none; makes the row ready. */
  | { ask: "sample"; row: number }
  /** Seconds per call. */
  | { ask: "time"; row: number };

/** Answers the driver's requests from standard input until it closes, one JSON value a line. */
export async function serve(load: () => Promise<Library>): Promise<void> {
  console.log = console.info = console.warn = console.error; // standard output is for answers
  const library = await load();
  let ready: { row: number; work: Prepared | null } | undefined;
  for await (const request of requests()) {
    if (request.ask === "adapter") {
      answer(library.adapter);
      continue;
    }
    const { row } = request;
    if (ready?.row !== row) ready = { row, work: await library.prepare(works[row]) };
    if (!ready.work) {
      answer(null);
    } else if (request.ask === "sample") {
      const result = await ready.work.result();
      answer(sampled(result.length).map((i) => result[i]));
    } else {
      answer(await seconds(ready.work, works[row].calls));
    }
  }
}

async function seconds(work: Prepared, calls: number): Promise<number> {
  const start = performance.now();
  for (let call = 0; call < calls; call++) {
    const sent = work.call();
    if (sent) await sent;
  }
  await work.finish();
  return (performance.now() - start) / 1000 / calls;
}

async function* requests(): AsyncGenerator<Request> {
  let text = "";
  for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (text + chunk).split("\n");
    text = lines.pop()!;
    for (const line of lines) yield JSON.parse(line);
  }
}

function answer(value: unknown): void {
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(value) + "\n"));
}
