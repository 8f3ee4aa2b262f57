import type { Gpu } from "../gpu/mod.ts";
import type { ImageSize } from "../ops/mod.ts";
import {
  empty,
  fromArray,
  type ReplayedWork,
  Replays,
  type Shape,
  type Tensor,
} from "../tensor/mod.ts";
import type { AutoencoderKL } from "./autoencoder.ts";
import { expectFinite } from "./finite.ts";
import { type BandPlan, type MemoryPlan, planInBands, planWhole } from "./memory_plan.ts";
import { runInBands } from "./run_bands.ts";

/** What is wanted of the moments of images. */
export interface OfMoments {
  /** What it is: under one name the same is made of moments of the same shape. */
  readonly name: string;
  /** Makes what it takes besides, for each call; nothing by default. */
  readonly inputs?: () => readonly Tensor[];
  /** Makes it; see {@link Replays} for what it may do. */
  readonly make: (moments: Tensor, inputs: readonly Tensor[]) => readonly Tensor[];
}

/** What a latent is made of. */
export interface ToLatent {
  /** What it is: under one name and for images of one size the same is made of the inputs. */
  readonly name: string;
  /** Makes the inputs. */
  readonly inputs: () => readonly Tensor[];
  /** Makes the latent of them, [1, h, w, z]; see {@link Replays} for what it may do. */
  readonly make: (inputs: readonly Tensor[]) => Tensor;
}

/** The values of a tensor. */
export type Values = Float32Array | Uint32Array;

/**
 * Runs an autoencoder within the memory of its device: whole where that fits, and then replayed for
 * images of a size that it had before; else in bands, which are run for one image at a time.
 */
export class VaeInMemory implements Disposable {
  #vae: AutoencoderKL;
  #gpu: Gpu;
  #replays: Replays;
  #wholeBytes = new Map<string, number>();
  #running: Promise<void> | undefined;

  /** For an autoencoder. */
  constructor(vae: AutoencoderKL) {
    this.#vae = vae;
    this.#gpu = vae.parameters.gpu;
    this.#replays = new Replays(this.#gpu);
  }

  /** Frees recordings; the autoencoder stays. */
  [Symbol.dispose](): void {
    this.#replays[Symbol.dispose]();
  }

  /**
   * How `count` images of a size are encoded; where they are too much together, how each is by itself.
   *
   * @throws {OutOfMemoryError} where not even the lowest bands fit.
   */
  planEncode(size: ImageSize, count: number, then: OfMoments): MemoryPlan {
    const work = this.#withMoments(then);
    const whole = this.#planWhole(size, count, work);
    return whole ?? (count > 1 ? this.planEncode(size, 1, then) : this.#planBands(size, work));
  }

  /** How a latent is decoded. @throws {OutOfMemoryError} where not even the lowest bands fit. */
  planDecode(size: ImageSize, latent: ToLatent): MemoryPlan | BandPlan {
    const stages = (keyParts: number) => this.#vae.decoderStages(size, keyParts);
    const make = () => latent.make(this.#asCopied(latent.inputs()));
    return this.#plan(decodeName(size, latent), () => void this.#vae.decode(make())) ??
      planInBands(this.#gpu, stages, () => void make());
  }

  /**
   * The values of what is wanted of the moments of images, [count, height, width, 3]; where they are
   * too much together, of those of one image after another.
   *
   * @throws {OutOfMemoryError} where not even the lowest bands fit.
   * @throws {NotFiniteError} where the moments are not finite; in f16 {HalfOverflowError}.
   */
  async encode(
    values: () => Float32Array,
    size: ImageSize,
    count: number,
    then: OfMoments,
  ): Promise<Values[]> {
    const all = this.#withMoments(then);
    const [moments, ...wanted] = await this.#encode(values, size, count, all);
    const length = moments.length / count;
    for (let n = 0; n < count; n++) {
      const image = count === 1 ? "the image" : `image ${n + 1} of ${count}`;
      const own = moments.subarray(n * length, (n + 1) * length);
      expectFinite(`what ${image} is encoded to`, own, this.#vae.half);
    }
    return wanted;
  }

  /** The moments are wanted too: no code would show that they are not finite. */
  #withMoments({ name, inputs, make }: OfMoments): OfMoments {
    return { name, inputs, make: (moments, given) => [moments, ...make(moments, given)] };
  }

  async #encode(
    values: () => Float32Array,
    size: ImageSize,
    count: number,
    then: OfMoments,
  ): Promise<Values[]> {
    while (this.#running) await this.#running;
    if (this.#planWhole(size, count, then)) {
      return await this.#read(
        then.name,
        () => [fromArray(this.#gpu, values(), this.#imageShape(size, count)), ...inputsOf(then)],
        ([images, ...given]) => then.make(this.#vae.moments(images), given),
      );
    }
    if (count === 1) return await this.#alone(() => this.#encodeInBands(values, size, then));
    const all = values();
    const each: Values[][] = [];
    for (let n = 0; n < count; n++) {
      const [from, to] = [n, n + 1].map((image) => image * all.length / count);
      each.push(await this.#encode(() => all.subarray(from, to), size, 1, then));
    }
    return each[0].map((_, i) => joined(each.map((one) => one[i])));
  }

  /**
   * The values of the image of a size that a latent is decoded to, [1, height, width, 3].
   *
   * @throws {OutOfMemoryError} where not even the lowest bands fit.
   * @throws {NotFiniteError} where the image is not finite; in f16 {HalfOverflowError}.
   */
  async decode(size: ImageSize, latent: ToLatent): Promise<Float32Array> {
    const values = await this.#decode(size, latent);
    expectFinite("the decoded image", values, this.#vae.half);
    return values;
  }

  async #decode(size: ImageSize, latent: ToLatent): Promise<Float32Array> {
    while (this.#running) await this.#running;
    const plan = this.planDecode(size, latent);
    const name = decodeName(size, latent);
    if (!("bands" in plan)) {
      return await this.#readOne(name, latent, (inputs) => this.#vae.decode(latent.make(inputs)));
    }
    return await this.#alone(async () => {
      const values = await this.#readOne(`the latent of ${name}`, latent, latent.make);
      return await runInBands(this.#gpu, plan.stages, plan.bands, values);
    });
  }

  async #encodeInBands(
    values: () => Float32Array,
    size: ImageSize,
    then: OfMoments,
  ): Promise<Values[]> {
    const { stages, bands } = this.#planBands(size, then);
    const moments = await runInBands(this.#gpu, stages, bands, values());
    const inputs = () => [
      fromArray(this.#gpu, moments, this.#momentsShape(size)),
      ...inputsOf(then),
    ];
    return await this.#read(
      `${then.name} of moments`,
      inputs,
      ([moments, ...given]) => then.make(moments, given),
    );
  }

  #planWhole(size: ImageSize, count: number, then: OfMoments): MemoryPlan | undefined {
    const shape = this.#imageShape(size, count);
    const key = `${then.name} of ${shape}`;
    return this.#plan(key, () => {
      const [images, ...given] = this.#asCopied([empty(this.#gpu, shape), ...inputsOf(then)]);
      then.make(this.#vae.moments(images), given);
    });
  }

  /** The plan of work at once, which is measured the first time. */
  #plan(key: string, work: () => void): MemoryPlan | undefined {
    const bytes = this.#wholeBytes.get(key) ?? this.#gpu.measure(work);
    this.#wholeBytes.set(key, bytes);
    return planWhole(this.#gpu, bytes);
  }

  #planBands(size: ImageSize, then: OfMoments): BandPlan {
    const stages = (keyParts: number) => this.#vae.encoderStages(size, keyParts);
    const shape = this.#momentsShape(size);
    return planInBands(this.#gpu, stages, () => {
      then.make(empty(this.#gpu, shape), this.#asCopied(inputsOf(then)));
    });
  }

  /** Runs work while no other is run in bands: its plan holds for the memory that is there now. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    this.#gpu.trim(); // the plan has counted on what waits for reuse
    const result = work();
    const running = result.then(() => {}, () => {});
    this.#running = running;
    try {
      return await result;
    } finally {
      this.#running = undefined;
    }
  }

  /** Does work, or replays it, and reads what it returns. */
  #read(name: string, inputs: () => readonly Tensor[], work: ReplayedWork): Promise<Values[]> {
    using _scope = this.#gpu.scope();
    return Promise.all(this.#replays.run(name, inputs(), work).map((tensor) => tensor.read()));
  }

  #readOne(
    name: string,
    { inputs }: ToLatent,
    work: (inputs: readonly Tensor[]) => Tensor,
  ): Promise<Float32Array> {
    using _scope = this.#gpu.scope();
    return this.#replays.run(name, inputs(), (inputs) => [work(inputs)])[0].readF32();
  }

  /** For a measurement: a recording has copies of its inputs, beside these. */
  #asCopied(inputs: readonly Tensor[]): Tensor[] {
    return inputs.map(({ shape, dtype }) => empty(this.#gpu, shape, dtype));
  }

  #imageShape({ height, width }: ImageSize, count: number): Shape {
    return [count, height, width, this.#vae.config.inChannels];
  }

  #momentsShape({ height, width }: ImageSize): Shape {
    const { reduction, config } = this.#vae;
    return [1, height / reduction, width / reduction, 2 * config.latentChannels];
  }
}

function decodeName({ height, width }: ImageSize, { name }: ToLatent): string {
  return `${height}×${width} of ${name}`;
}

function joined(parts: readonly Values[]): Values {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const all = parts[0] instanceof Uint32Array ? new Uint32Array(length) : new Float32Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function inputsOf({ inputs }: OfMoments): readonly Tensor[] {
  return inputs?.() ?? [];
}
