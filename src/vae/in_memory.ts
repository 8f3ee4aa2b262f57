import type { Gpu } from "../gpu/mod.ts";
import type { ImageSize } from "../ops/mod.ts";
import { empty, fromArray, type Shape, type Tensor } from "../tensor/mod.ts";
import type { AutoencoderKL } from "./autoencoder.ts";
import { type BandPlan, type MemoryPlan, planInBands, planWhole } from "./memory_plan.ts";
import { runInBands } from "./run_bands.ts";

/** What is wanted of the moments of images. */
export interface OfMoments {
  /** What it is: the same name takes the same memory for moments of the same shape. */
  readonly name: string;
  /** Makes it. */
  readonly make: (moments: Tensor) => readonly Tensor[];
}

/** What a latent is made of. */
export interface ToLatent {
  /** What it is: the same name takes the same memory for a latent of the same shape. */
  readonly name: string;
  /** Makes the latent, [1, h, w, z]. */
  readonly make: () => Tensor;
}

/** The values of a tensor. */
export type Values = Float32Array | Uint32Array;

/**
 * Runs an autoencoder within the memory of its device: whole where that fits, else in bands, which are
 * run for one image at a time.
 */
export class VaeInMemory {
  #vae: AutoencoderKL;
  #gpu: Gpu;
  #wholeBytes = new Map<string, number>();
  #running: Promise<void> | undefined;

  /** For an autoencoder. */
  constructor(vae: AutoencoderKL) {
    this.#vae = vae;
    this.#gpu = vae.parameters.gpu;
  }

  /**
   * How `count` images of a size are encoded; where they are too much together, how each is by itself.
   *
   * @throws {OutOfMemoryError} where not even the lowest bands fit.
   */
  planEncode(size: ImageSize, count: number, then: OfMoments): MemoryPlan {
    const whole = this.#planWhole(size, count, then);
    return whole ?? (count > 1 ? this.planEncode(size, 1, then) : this.#planBands(size, then));
  }

  /** How a latent is decoded. @throws {OutOfMemoryError} where not even the lowest bands fit. */
  planDecode(size: ImageSize, { name, make }: ToLatent): MemoryPlan | BandPlan {
    const key = `${size.height}×${size.width} of ${name}`;
    const stages = (keyParts: number) => this.#vae.decoderStages(size, keyParts);
    return this.#plan(key, () => void this.#vae.decode(make())) ??
      planInBands(this.#gpu, stages, () => void make());
  }

  /**
   * The values of what is wanted of the moments of images, [count, height, width, 3]; where they are
   * too much together, of those of one image after another.
   *
   * @throws {OutOfMemoryError} where not even the lowest bands fit.
   */
  async encode(
    values: () => Float32Array,
    size: ImageSize,
    count: number,
    then: OfMoments,
  ): Promise<Values[]> {
    while (this.#running) await this.#running;
    if (this.#planWhole(size, count, then)) {
      return await this.#read(() =>
        then.make(this.#vae.moments(fromArray(this.#gpu, values(), this.#imageShape(size, count))))
      );
    }
    if (count === 1) return await this.#alone(() => this.#encodeInBands(values, size, then));
    const all = values();
    const each: Values[][] = [];
    for (let n = 0; n < count; n++) {
      const [from, to] = [n, n + 1].map((image) => image * all.length / count);
      each.push(await this.encode(() => all.subarray(from, to), size, 1, then));
    }
    return each[0].map((_, i) => joined(each.map((one) => one[i])));
  }

  /**
   * The values of the image of a size that a latent is decoded to, [1, height, width, 3].
   *
   * @throws {OutOfMemoryError} where not even the lowest bands fit.
   */
  async decode(size: ImageSize, latent: ToLatent): Promise<Float32Array> {
    while (this.#running) await this.#running;
    const plan = this.planDecode(size, latent);
    if (!("bands" in plan)) return await this.#readOne(() => this.#vae.decode(latent.make()));
    return await this.#alone(async () =>
      await runInBands(this.#gpu, plan.stages, plan.bands, await this.#readOne(latent.make))
    );
  }

  async #encodeInBands(
    values: () => Float32Array,
    size: ImageSize,
    then: OfMoments,
  ): Promise<Values[]> {
    const { stages, bands } = this.#planBands(size, then);
    const moments = await runInBands(this.#gpu, stages, bands, values());
    return await this.#read(() =>
      then.make(fromArray(this.#gpu, moments, this.#momentsShape(size)))
    );
  }

  #planWhole(size: ImageSize, count: number, { name, make }: OfMoments): MemoryPlan | undefined {
    const shape = this.#imageShape(size, count);
    const key = `${name} of ${shape}`;
    return this.#plan(key, () => void make(this.#vae.moments(empty(this.#gpu, shape))));
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
    return planInBands(this.#gpu, stages, () => void then.make(empty(this.#gpu, shape)));
  }

  /** Runs work while no other is run in bands: its plan holds for the memory that is there now. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const result = work();
    const running = result.then(() => {}, () => {});
    this.#running = running;
    try {
      return await result;
    } finally {
      this.#running = undefined;
    }
  }

  /** Records work and reads what it returns. */
  #read(work: () => readonly Tensor[]): Promise<Values[]> {
    using _scope = this.#gpu.scope();
    return Promise.all(work().map((tensor) => tensor.read()));
  }

  #readOne(work: () => Tensor): Promise<Float32Array> {
    using _scope = this.#gpu.scope();
    return work().readF32();
  }

  #imageShape({ height, width }: ImageSize, count: number): Shape {
    return [count, height, width, this.#vae.config.inChannels];
  }

  #momentsShape({ height, width }: ImageSize): Shape {
    const { reduction, config } = this.#vae;
    return [1, height / reduction, width / reduction, 2 * config.latentChannels];
  }
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
