import type { Batches } from "../data/mod.ts";
import { fromArray, noGrad, Replays, sizeOf, type Tensor } from "../tensor/mod.ts";
import type { AutoencoderKL } from "../vae/mod.ts";
import { epochRandom, noiseRandom } from "./streams.ts";

/** Host memory that cached latents may take. */
const MAX_BYTES = 2 ** 30;

/** How a {@link LatentCache} is filled. */
export interface FillOptions {
  /** How many crops to encode, as far as 1 GiB holds them; rounded up to whole batches. */
  count: number;
  /** Images in each of the batches. */
  batch: number;
  /** Side of the images. */
  imageSize: number;
  /** Ends the filling early. */
  signal?: AbortSignal;
  /** Hears how many are done. */
  onProgress?: (done: number, count: number) => void;
}

/** Which latents a step of the warm-up gets. */
export interface LatentBatchOptions {
  /** The run's seed. */
  seed: number;
  /** How many steps are done. */
  step: number;
  /** How many latents. */
  batch: number;
  /** Whether they are drawn from their posterior; else they are its mean. */
  samplePosterior: boolean;
}

/**
 * Posteriors of training crops, encoded once and kept on the host: the quantizer alone trains on them
 * many times faster than through the autoencoder. They are right as long as the encoder stays as it is.
 */
export class LatentCache {
  /** How many latents there are. */
  readonly count: number;
  #vae: AutoencoderKL;
  #shape: readonly [number, number, number];
  #means: Float32Array;
  #deviations: Float32Array;
  #epoch = -1;
  #order: Uint32Array = new Uint32Array();

  private constructor(vae: AutoencoderKL, { count, batch, imageSize }: FillOptions) {
    const side = imageSize / vae.reduction;
    this.#vae = vae;
    this.#shape = [side, side, vae.config.latentChannels];
    const size = sizeOf(this.#shape);
    const most = Math.max(1, Math.floor(MAX_BYTES / (2 * 4 * size)));
    this.count = Math.ceil(Math.min(count, most) / batch) * batch;
    this.#means = new Float32Array(this.count * size);
    this.#deviations = new Float32Array(this.#means.length);
  }

  /** Encodes crops; undefined where the signal ended it early. */
  static async fill(
    vae: AutoencoderKL,
    batches: Batches,
    options: FillOptions,
  ): Promise<LatentCache | undefined> {
    const { batch, signal, onProgress } = options;
    const cache = new LatentCache(vae, options);
    using replays = new Replays(vae.parameters.gpu);
    for (let step = 0; step * batch < cache.count; step++) {
      if (signal?.aborted) return undefined;
      const { images } = await batches.next(step);
      await cache.#encode(replays, step, images, options);
      onProgress?.((step + 1) * batch, cache.count);
    }
    return cache;
  }

  /** Scaled latents [batch, h, w, z] for one step, owned by the current scope. */
  batch({ seed, step, batch, samplePosterior }: LatentBatchOptions): Tensor {
    const { scale, shift } = this.#vae.config;
    const noise = noiseRandom(seed, step);
    const size = sizeOf(this.#shape);
    const latents = new Float32Array(batch * size);
    for (let b = 0; b < batch; b++) {
      const from = this.#pick(seed, step * batch + b) * size;
      for (let i = 0; i < size; i++) {
        const drawn = samplePosterior ? this.#deviations[from + i] * noise.normal() : 0;
        latents[b * size + i] = (this.#means[from + i] + drawn - shift) * scale;
      }
    }
    return fromArray(this.#vae.parameters.gpu, latents, [batch, ...this.#shape]);
  }

  async #encode(
    replays: Replays,
    step: number,
    images: Float32Array,
    { batch, imageSize }: FillOptions,
  ): Promise<void> {
    const reads = this.#read(replays, images, [
      batch,
      imageSize,
      imageSize,
      this.#vae.config.inChannels,
    ]);
    const [mean, logVariance] = await Promise.all(reads);
    this.#means.set(mean, step * mean.length);
    this.#deviations.set(logVariance.map((value) => Math.exp(value / 2)), step * mean.length);
  }

  #read(
    replays: Replays,
    images: Float32Array,
    shape: readonly number[],
  ): Promise<Float32Array>[] {
    const { gpu } = this.#vae.parameters;
    using _scope = gpu.scope();
    const outputs = replays.run("posterior", [fromArray(gpu, images, shape)], ([images]) => {
      const { mean, logVariance } = noGrad(() => this.#vae.encode(images));
      return [mean, logVariance];
    });
    return outputs.map((tensor) => tensor.readF32());
  }

  /** The latent that the n-th place of the warm-up gets: each epoch has an order of its own. */
  #pick(seed: number, n: number): number {
    const epoch = Math.floor(n / this.count);
    if (epoch !== this.#epoch) {
      this.#epoch = epoch;
      this.#order = epochRandom(seed, epoch).permutation(this.count);
    }
    return this.#order[n % this.count];
  }
}
