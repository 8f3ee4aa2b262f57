import { fromFileUrl } from "@std/path";
import type { Operation } from "./operation.ts";

/** Seconds per call by number format, or why there are none. */
export type TorchTimes = { float32: number; bfloat16?: number } | { error: string };

/** PyTorch in a process of its own; see bench/torch_rows.py. */
export class Torch implements AsyncDisposable {
  /** Its version and the device it computes on, in words. */
  readonly name: string;
  /** Whether it computes on a GPU. */
  readonly isGpu: boolean;
  #process: Deno.ChildProcess;
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #lines: AsyncIterator<string>;

  private constructor(
    process: Deno.ChildProcess,
    lines: AsyncIterator<string>,
    { version, name, device }: { version: string; name: string; device: string },
  ) {
    this.#process = process;
    this.#writer = process.stdin.getWriter();
    this.#lines = lines;
    this.name = `PyTorch ${version} on ${name}`;
    this.isGpu = device === "cuda";
  }

  /** Starts it; a text says why that does not work here. */
  static async start(python: string): Promise<Torch | string> {
    let process: Deno.ChildProcess;
    try {
      process = new Deno.Command(python, {
        args: [fromFileUrl(new URL("../torch_rows.py", import.meta.url))],
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return `there is no ${python}`;
      throw error;
    }
    const errors = process.stderr.text();
    const lines = linesOf(process.stdout);
    const { value, done } = await lines.next();
    if (!done) return new Torch(process, lines, JSON.parse(value));
    await process.stdin.close();
    await process.status;
    return (await errors).trim().split("\n").at(-1) || `${python} said nothing`;
  }

  /** Times one operation; that PyTorch has stopped, at this one or before, is its answer too. */
  async time(operation: Operation): Promise<TorchTimes> {
    const line = new TextEncoder().encode(JSON.stringify(operation) + "\n");
    // Nobody reads what is written to a process that has ended; its lines have ended then as well.
    await this.#writer.write(line).catch(() => {});
    const { value, done } = await this.#lines.next();
    return done ? { error: "PyTorch stopped" } : JSON.parse(value);
  }

  /** Lets the process end. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#writer.close();
    } catch {
      // It has ended by itself.
    }
    await this.#process.status;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const found = (text + chunk).split("\n");
    text = found.pop()!;
    yield* found;
  }
}
