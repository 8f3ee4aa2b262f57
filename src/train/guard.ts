import { defineKernel, type Gpu } from "../gpu/mod.ts";
import { stack } from "../ops/mod.ts";
import { noGrad, Tensor } from "../tensor/mod.ts";
import { blocksOf } from "./blocks.ts";
import { blockSquares, type Clip, clipOf } from "./clip.ts";

const kernel = defineKernel("guard");

/** A tensor with the name that messages give it. */
export interface Named {
  /** For example "vq", or "lora.decoder.conv_in.up". */
  readonly name: string;
  /** The tensor. */
  readonly tensor: Tensor;
}

/** The first number of a run that was not finite. */
export interface Fault {
  /** The step, counted from 1, that it came up in; nothing moved in it or after it. */
  readonly step: number;
  /** The tensor, for example "the loss vq" or "the gradient of quantizer.codebooks.weight". */
  readonly what: string;
}

/**
 * Watches losses and gradients for numbers that are not finite, on the GPU and without waiting for it:
 * the first step with one is noted together with the first tensor, and from that step on the clip
 * coefficients tell {@link AdamW} to leave parameters, moments and averages as they are. So the host
 * may ask when it likes.
 *
 * Of a gradient it looks at the sum of squares: one whose squares exceed float32 is at fault too.
 *
 * @example
 * ```ts
 * import { Gpu, Guard } from "@coda/tokenizer";
 * import { fromArray, full } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * using guard = new Guard(gpu);
 * guard.prepare(7);
 * const losses = [{ name: "l1", tensor: full(gpu, [], 1) }];
 * const gradients = [{ name: "weight", tensor: fromArray(gpu, [1, Infinity], [2]) }];
 * const [{ coefficient }] = guard.clip(losses, [gradients], 10);
 * console.assert(await coefficient.item() < 0);
 * const { step, what } = (await guard.read())!;
 * console.assert(step === 7 && what === "the gradient of weight");
 * ```
 */
export class Guard implements Disposable {
  #gpu: Gpu;
  #now: Tensor;
  #fault: Tensor;
  #watched: Watched[] = [];
  #bases = new Map<string, number>();
  #count = 0;

  /** Nothing is at fault yet. */
  constructor(gpu: Gpu) {
    this.#gpu = gpu;
    this.#now = new Tensor(gpu, gpu.allocate(4), [1], "u32");
    this.#fault = new Tensor(gpu, gpu.allocate(8), [2], "u32");
    gpu.clear(this.#fault.storage);
  }

  /** Says which step comes, counted from 1; before its dispatches. */
  prepare(step: number): void {
    this.#now.write(Uint32Array.of(step));
  }

  /**
   * What {@link clipCoefficient} gives for each side, gradients that are clipped together, after a look at
   * the losses, in order, and then at all gradients: a fault of one side halts all. The same each time, so
   * that a step with it can be replayed.
   *
   * @param losses Scalars; at least one.
   * @param sides At least one gradient each.
   */
  clip(
    losses: readonly Named[],
    sides: readonly (readonly Named[])[],
    maxNorm: number,
  ): Clip[] {
    using scope = this.#gpu.scope();
    const scalars = noGrad(() => stack(losses.map(({ tensor }) => tensor)));
    this.#check(losses.map(({ name }) => ({ what: `the loss ${name}`, count: 1 })), scalars);
    const clips = sides.map((gradients) => clipOf(this.#squares(gradients), maxNorm));
    return clips.map(({ norm, coefficient }) => {
      this.#gpu.run(kernel, "halt", {
        bind: { fault: this.#fault.storage, coefficient: coefficient.storage },
        params: { count: 0, base: 0 },
        grid: [1, 1, 1],
      });
      return { norm: scope.keep(norm), coefficient: scope.keep(coefficient) };
    });
  }

  /** The fault, if there is one in what was dispatched so far. */
  async read(): Promise<Fault | undefined> {
    const [step, index] = await this.#fault.readU32();
    if (step === 0) return undefined;
    const { what } = this.#watched.find(({ base, count }) => index < base + count)!;
    return { step, what };
  }

  /** Frees what it notes on. */
  [Symbol.dispose](): void {
    this.#now.dispose();
    this.#fault.dispose();
  }

  /** The sums of squares of the gradients' blocks, looked at. */
  #squares(gradients: readonly Named[]): Tensor {
    const squares = blockSquares(gradients.map(({ tensor }) => tensor));
    const parts = gradients.map(({ name, tensor }) => ({
      what: `the gradient of ${name}`,
      count: blocksOf(tensor.size),
    }));
    this.#check(parts, squares);
    return squares;
  }

  #check(parts: readonly Part[], values: Tensor): void {
    this.#gpu.run(kernel, "check", {
      bind: { values: values.storage, now: this.#now.storage, fault: this.#fault.storage },
      params: { count: values.size, base: this.#baseOf(parts) },
      grid: [1, 1, 1],
    });
  }

  /** The number of the first value of these parts; the same parts have the same each time. */
  #baseOf(parts: readonly Part[]): number {
    const key = JSON.stringify(parts);
    const known = this.#bases.get(key);
    if (known !== undefined) return known;
    const base = this.#count;
    for (const part of parts) {
      this.#watched.push({ ...part, base: this.#count });
      this.#count += part.count;
    }
    this.#bases.set(key, base);
    return base;
  }
}

/** A tensor among those that are looked at together: what it is, and how many values it has there. */
interface Part {
  readonly what: string;
  readonly count: number;
}

/** A part, and the number of its first value among all that are watched. */
interface Watched extends Part {
  readonly base: number;
}
