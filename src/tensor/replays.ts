import type { Gpu, Recording } from "../gpu/mod.ts";
import { empty } from "./make.ts";
import { type Shape, sizeOf } from "./shape.ts";
import { bytesOf, type DType, Tensor } from "./tensor.ts";

/** Work on tensors that can be replayed: it does the same for all inputs of the same shapes. */
export type ReplayedWork = (inputs: readonly Tensor[]) => readonly Tensor[];

/**
 * Work on tensors that runs once for each combination of its inputs' shapes. Its commands are recorded,
 * and later calls give them again for other inputs: without the work's checks and autograd graph, and
 * without allocating anything but the outputs. That takes the host microseconds a dispatch.
 *
 * So the work must do the same for any inputs of one shape. Numbers that change from call to call are
 * to be inputs, as tensors, or to lie in a tensor that is written before the call; within, nothing is
 * read, and nothing uploaded but {@link constants}. Tensors that the work uses beside its inputs, such
 * as parameters, are read and written where they lie, and held until the recording is forgotten. The
 * buffers of a recording serve recordings alone; `gpu.memory.recorded` counts them. Where they grow too
 * many or memory is short, the longest unused recordings are forgotten, and their work is recorded again
 * when it comes again.
 *
 * @example
 * ```ts
 * import { add, fromArray, full, Gpu, Replays, square } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * using bias = full(gpu, [2], 1);
 * using replays = new Replays(gpu);
 * for (const values of [[1, 2], [3, 4]]) {
 *   using _scope = gpu.scope();
 *   const [y] = replays.run("sum", [fromArray(gpu, values, [2])], ([x]) => [add(square(x), bias)]);
 *   console.log(await y.read()); // 2, 5; then, replayed, 10, 17
 * }
 * ```
 */
export class Replays implements Disposable {
  #gpu: Gpu;
  #room: number;
  #known = new Map<string, Known>();
  #measurement: object | undefined;
  #measuredOutputs = new Map<string, Known["outputs"]>();

  /**
   * Nothing is recorded yet.
   *
   * @param options.room See {@link Gpu.record}; 1 unless given.
   */
  constructor(gpu: Gpu, { room = 1 }: { room?: number } = {}) {
    this.#gpu = gpu;
    this.#room = room;
  }

  /**
   * Does work on inputs: for the first time, or again as it was done then. Within other work that is
   * recorded the work simply runs, as a part of that.
   *
   * @param name What the work is. It stands for all that the work depends on beside the inputs' shapes:
   * under one name and for inputs of the same shapes it is always the same.
   * @returns The outputs, which belong to the current scope and are the caller's own.
   * @throws {TypeError} where an input wants a gradient: a replay leaves no graph.
   * @throws {GpuError} where the work uploads or reads.
   */
  run(name: string, inputs: readonly Tensor[], work: ReplayedWork): Tensor[] {
    const key = `${name} of ${inputs.map(({ dtype, shape }) => `${dtype}[${shape}]`)}`;
    const measurement = this.#gpu.recordedMeasurement;
    if (measurement) return this.#measured(measurement, key, inputs, work);
    if (!this.#gpu.canRecord) return [...work(inputs)];
    inputs.forEach(refuseGradient);
    const known = this.#known.get(key);
    if (known?.recording.isCurrent) {
      const outputs = this.#outputsOf(known); // for which recordings are forgotten where memory is short
      if (known.recording.isCurrent) return this.#replay(known, inputs, outputs);
      for (const output of outputs) output.dispose();
    }
    return this.#record(key, inputs, work);
  }

  /** Forgets all recordings. */
  [Symbol.dispose](): void {
    for (const { recording } of this.#known.values()) recording[Symbol.dispose]();
    this.#known.clear();
  }

  /** What the work takes when it is recorded: once, on copies, and outputs that lie apart each time. */
  #measured(
    measurement: object,
    key: string,
    inputs: readonly Tensor[],
    work: ReplayedWork,
  ): Tensor[] {
    using scope = this.#gpu.scope();
    if (this.#measurement !== measurement) this.#measuredOutputs.clear();
    this.#measurement = measurement;
    const outputs = this.#measuredOutputs.get(key) ??
      work(inputs.map(({ shape, dtype }) => empty(this.#gpu, shape, dtype)))
        .map(({ shape, dtype }) => ({ shape, dtype }));
    this.#measuredOutputs.set(key, outputs);
    return outputs.map(({ shape, dtype }) => {
      const words = new Uint32Array(bytesOf(sizeOf(shape), dtype) / 4);
      const storage = this.#gpu.constant(words, { isHalf: dtype === "f16" });
      const output = new Tensor(this.#gpu, storage, shape, dtype);
      this.#gpu.track(output);
      return scope.keep(output);
    });
  }

  #outputsOf({ outputs }: Pick<Known, "outputs">): Tensor[] {
    return outputs.map(({ shape, dtype }) => empty(this.#gpu, shape, dtype));
  }

  #replay({ recording }: Known, inputs: readonly Tensor[], outputs: Tensor[]): Tensor[] {
    this.#gpu.replay(recording, storagesOf(inputs));
    this.#gpu.takeOutputs(recording, storagesOf(outputs));
    return outputs;
  }

  #record(key: string, inputs: readonly Tensor[], work: ReplayedWork): Tensor[] {
    const gpu = this.#gpu;
    let outputs: Known["outputs"] = [];
    const made = gpu.record(storagesOf(inputs), (storages) => {
      using scope = gpu.scope();
      const copies = inputs.map(({ shape, dtype }, i) =>
        new Tensor(gpu, storages[i], shape, dtype)
      );
      for (const copy of copies) scope.add(copy);
      const found = work(copies);
      outputs = found.map(({ shape, dtype }) => ({ shape, dtype }));
      return found.map(({ storage }) => storage.retain());
    }, this.#room);
    this.#dropForgotten();
    this.#known.set(key, { recording: made.recording, outputs });
    try {
      const own = this.#outputsOf({ outputs });
      made.outputs.forEach((storage, i) => gpu.copy(storage, own[i].storage));
      return own;
    } finally {
      for (const storage of made.outputs) storage.release();
    }
  }

  /** Drops what cannot be replayed any more. */
  #dropForgotten(): void {
    for (const [key, { recording }] of this.#known) {
      if (recording.isCurrent) continue;
      recording[Symbol.dispose]();
      this.#known.delete(key);
    }
  }
}

/** What was recorded of some work for some shapes. */
interface Known {
  readonly recording: Recording;
  readonly outputs: readonly { readonly shape: Shape; readonly dtype: DType }[];
}

function storagesOf(tensors: readonly Tensor[]): Tensor["storage"][] {
  return tensors.map(({ storage }) => storage);
}

function refuseGradient({ requiresGrad }: Tensor, i: number): void {
  if (!requiresGrad) return;
  throw new TypeError(
    `Replays: input ${i} wants a gradient, but a replay leaves no graph: ask for gradients within`,
  );
}
