import type { CommandStream } from "./commands.ts";
import { GpuError } from "./errors.ts";
import type { Pipelines } from "./pipelines.ts";
import type { BufferPool, Storage } from "./pool.ts";
import { Recording } from "./recording.ts";

/** Recordings that are kept at most: the host's memory holds their commands. */
const MOST = 16;

/** Work that is recorded: the recording, and what the work itself made. */
export interface RecordedWork {
  /** What can be replayed. */
  readonly recording: Recording;
  /** The outputs of the work; the caller holds a reference to each. */
  readonly outputs: readonly Storage[];
}

/** Makes recordings, and forgets those for which there is no room. */
export class Recorder {
  #device: GPUDevice;
  #pool: BufferPool;
  #pipelines: Pipelines;
  #stream: CommandStream;
  #current: Recording | undefined;
  #kept = new Set<Recording>(); // the longest unused first

  /** A recorder of what goes to the stream. */
  constructor(device: GPUDevice, pool: BufferPool, pipelines: Pipelines, stream: CommandStream) {
    this.#device = device;
    this.#pool = pool;
    this.#pipelines = pipelines;
    this.#stream = stream;
  }

  /** The recording under way, which is to be told of each command. */
  get current(): Recording | undefined {
    return this.#current;
  }

  /** See {@link Gpu.record}. */
  record(
    inputs: readonly Storage[],
    work: (inputs: readonly Storage[]) => readonly Storage[],
    room: number,
  ): RecordedWork {
    this.refuse("recorded", "call what is to be recorded");
    const recording = new Recording(this.#device, this.#pool, this.#pipelines, this.#stream, room);
    let outputs: readonly Storage[] = [];
    try {
      const copies = this.#copiesOf(inputs);
      this.#current = recording;
      outputs = work(copies);
      recording.finish(copies, outputs);
      this.#keep(recording);
      return { recording, outputs };
    } catch (error) {
      for (const output of outputs) output.release();
      recording[Symbol.dispose]();
      throw error;
    } finally {
      this.#current = undefined;
      this.#pool.endRecording();
    }
  }

  /** See {@link Gpu.replay}. */
  replay(recording: Recording, inputs: readonly Storage[]): void {
    this.refuse("replayed", "call what was recorded");
    if (!recording.isCurrent) {
      throw new GpuError("the recording was forgotten, or what it uses was moved: record it again");
    }
    recording.expectInputs(inputs);
    this.#kept.delete(recording);
    this.#kept.add(recording);
    inputs.forEach((input, i) => this.#stream.copy(input, recording.inputs[i], input.byteLength));
    recording.play();
  }

  /** Forgets all recordings; work that is being recorded goes on without. */
  forget(): void {
    this.#current?.[Symbol.dispose]();
    for (const recording of this.#kept) recording[Symbol.dispose]();
    this.#kept.clear();
  }

  /** Throws within work that is recorded, which fails at its end even if nobody hears of that. */
  refuse(done: string, advice: string): void {
    if (!this.#current) return;
    const error = new GpuError(`nothing is ${done} within work that is recorded: ${advice}`);
    this.#current.refuse(error);
    throw error;
  }

  #copiesOf(inputs: readonly Storage[]): Storage[] {
    const copies: Storage[] = [];
    try {
      for (const input of inputs) copies.push(this.#copyOf(input));
      return copies;
    } catch (error) {
      for (const copy of copies) copy.release();
      throw error;
    }
  }

  #copyOf(input: Storage): Storage {
    const copy = this.#pool.allocate(input.byteLength, input);
    this.#stream.copy(input, copy, input.byteLength);
    return copy;
  }

  #keep(recording: Recording): void {
    for (const other of this.#kept) if (!other.isCurrent) this.#kept.delete(other);
    this.#kept.add(recording);
    for (const other of this.#kept) {
      const isTooMuch = this.#kept.size > MOST || this.#pool.memory.recorded > this.#pool.capacity;
      if (other === recording || !isTooMuch) return;
      other[Symbol.dispose]();
      this.#kept.delete(other);
    }
  }
}
