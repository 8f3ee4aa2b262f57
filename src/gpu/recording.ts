import type { CommandStream } from "./commands.ts";
import type { Pipeline, Pipelines } from "./pipelines.ts";
import type { BufferPool, PooledBuffer, Storage } from "./pool.ts";
import { uniformOffsets, uniformStride } from "./uniform_ring.ts";

/** A command, as it is given again. */
type Command =
  | {
    readonly kind: "dispatch";
    readonly pipeline: Pipeline;
    readonly buffers: readonly PooledBuffer[];
    readonly grid: readonly [number, number, number];
    readonly index: number; // among the dispatches
    group?: GPUBindGroup; // made with the first replay
  }
  | {
    readonly kind: "copy";
    readonly from: PooledBuffer;
    readonly to: PooledBuffer;
    readonly size: number;
  }
  | { readonly kind: "clear"; readonly place: PooledBuffer; readonly size: number };

/**
 * The commands of some work on the GPU, which {@link Gpu.replay} gives again without the work on the
 * host that led to them.
 *
 * The buffers that the work allocated belong to the recording, which keeps them from everything but
 * other recordings. What it used beside them, such as parameters, it holds.
 */
export class Recording implements Disposable {
  #device: GPUDevice;
  #pool: BufferPool;
  #pipelines: Pipelines;
  #stream: CommandStream;
  #own: ReadonlySet<PooledBuffer>;
  #held = new Map<Storage, PooledBuffer>(); // of others, and where they lay
  #commands: Command[] = [];
  #params: Uint8Array[] = [];
  #stride: number;
  #offsets = new Uint32Array();
  #uniforms: GPUBuffer | undefined;
  #inputs: readonly PooledBuffer[] = [];
  #inputBytes: readonly number[] = [];
  #outputs: readonly PooledBuffer[] = [];
  #refused: Error | undefined;
  #isDisposed = false;

  /** Made by {@link Gpu.record}. Until the pool's `endRecording`, what it allocates is the recording's. */
  constructor(
    device: GPUDevice,
    pool: BufferPool,
    pipelines: Pipelines,
    stream: CommandStream,
    room: number,
  ) {
    this.#device = device;
    this.#pool = pool;
    this.#pipelines = pipelines;
    this.#stream = stream;
    this.#own = pool.beginRecording(room);
    this.#stride = uniformStride(device);
  }

  /** How many dispatches there are. */
  get dispatches(): number {
    return this.#params.length;
  }

  /** Where each input is copied to before a replay. */
  get inputs(): readonly PooledBuffer[] {
    return this.#inputs;
  }

  /** Where each output is found after a replay, until the next replay of whatever recording. */
  get outputs(): readonly PooledBuffer[] {
    return this.#outputs;
  }

  /** Whether it can be replayed: all that it holds lies where it lay. */
  get isCurrent(): boolean {
    if (this.#isDisposed) return false;
    for (const [storage, pooled] of this.#held) if (storage.pooled !== pooled) return false;
    return true;
  }

  /**
   * Adds a dispatch.
   *
   * @internal
   */
  dispatch(
    pipeline: Pipeline,
    bound: readonly Storage[],
    params: Uint8Array,
    grid: readonly [number, number, number],
  ): void {
    if (this.#isDisposed) return;
    const index = this.#params.length;
    const buffers = bound.map((storage) => this.#place(storage));
    this.#commands.push({ kind: "dispatch", pipeline, buffers, grid, index });
    this.#params.push(params);
  }

  /**
   * Adds a copy.
   *
   * @internal
   */
  copy(from: Storage, to: Storage): void {
    if (this.#isDisposed) return;
    const size = from.byteLength;
    this.#commands.push({ kind: "copy", from: this.#place(from), to: this.#place(to), size });
  }

  /**
   * Adds a clearing.
   *
   * @internal
   */
  clear(storage: Storage): void {
    if (this.#isDisposed) return;
    const size = storage.byteLength;
    this.#commands.push({ kind: "clear", place: this.#place(storage), size });
  }

  /**
   * Makes it fail at its end, whatever becomes of the error until then.
   *
   * @internal
   */
  refuse(error: Error): void {
    this.#refused ??= error;
  }

  /**
   * Ends the recording with what goes in and what comes out.
   *
   * @internal
   */
  finish(inputs: readonly Storage[], outputs: readonly Storage[]): void {
    if (this.#refused) throw this.#refused;
    if (this.#isDisposed) return;
    this.#inputs = inputs.map(({ pooled }) => pooled);
    this.#inputBytes = inputs.map(({ byteLength }) => byteLength);
    this.#outputs = outputs.map((output) => this.#place(output));
  }

  /**
   * Throws for inputs that are not as many and as large as those it was recorded with.
   *
   * @internal
   */
  expectInputs(inputs: readonly Storage[]): void {
    const found = inputs.map(({ byteLength }) => byteLength);
    if (`${found}` === `${this.#inputBytes}`) return;
    throw new TypeError(
      `the recording has inputs of [${this.#inputBytes}] bytes, found [${found}]: record those anew`,
    );
  }

  /**
   * Gives all commands again.
   *
   * @internal
   */
  play(): void {
    if (!this.#uniforms) this.#prepare();
    const stream = this.#stream;
    for (const command of this.#commands) {
      if (command.kind === "dispatch") {
        const { index, pipeline, group, grid } = command;
        stream.reserveReplayed();
        stream.dispatch(pipeline, group!, this.#offsets, index, grid);
      } else if (command.kind === "copy") stream.copy(command.from, command.to, command.size);
      else stream.clear(command.place, command.size);
    }
  }

  /** Gives its buffers to the pool, and up what it holds of others. */
  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#stream.submit(); // commands that were not sent yet may read the uniforms
    this.#pool.forgetRecording(this.#own);
    for (const storage of this.#held.keys()) storage.release();
    this.#uniforms?.destroy();
    this.#commands = [];
  }

  #place(storage: Storage): PooledBuffer {
    const { pooled } = storage;
    if (!this.#own.has(pooled) && !this.#held.has(storage)) {
      this.#held.set(storage.retain(), pooled);
    }
    return pooled;
  }

  /** What only a replay needs: work of a shape that never comes again is spared it. */
  #prepare(): void {
    const bytes = new Uint8Array(Math.max(1, this.#params.length) * this.#stride);
    this.#offsets = uniformOffsets(this.#params.length, this.#stride);
    this.#params.forEach((params, i) => bytes.set(params, this.#offsets[i]));
    this.#uniforms = this.#device.createBuffer({
      label: "recording",
      size: bytes.length,
      usage: 0x40 | 0x8, // UNIFORM | COPY_DST
    });
    this.#device.queue.writeBuffer(this.#uniforms, 0, bytes);
    const groups = new Map<string, GPUBindGroup>();
    for (const command of this.#commands) {
      if (command.kind !== "dispatch") continue;
      const { pipeline, buffers } = command;
      const key = `${pipeline.label};${buffers.map(({ id }) => id)}`;
      command.group = groups.get(key) ?? this.#pipelines.group(pipeline, buffers, this.#uniforms);
      groups.set(key, command.group);
    }
  }
}
