import { Batches, type ImageFolder } from "../data/mod.ts";
import { fromArray, noGrad, Replays } from "../tensor/mod.ts";
import type { AutoencoderKL, Scaling } from "../vae/mod.ts";

/** How many crops the latent is measured on, at least. */
const CROPS = 64;

/** How a latent is measured. */
export interface ScalingOptions {
  /** Crops at a time. */
  readonly batch: number;
  /** Their side. */
  readonly imageSize: number;
  /** Ends the measuring early. */
  readonly signal?: AbortSignal;
}

/**
 * The scale and shift that give an autoencoder's latents, drawn from their posteriors, the mean 0 and the
 * variance 1 over training crops: what a quantizer or a generator expects of them (Rombach et al. 2022,
 * `scale_by_std`, with a shift as later families have it). Undefined where the signal ended it early.
 */
export async function latentScaling(
  vae: AutoencoderKL,
  images: ImageFolder,
  { batch, imageSize, signal }: ScalingOptions,
): Promise<Scaling | undefined> {
  const { gpu } = vae.parameters;
  const shape = [batch, imageSize, imageSize, vae.config.inChannels];
  const sums = { count: 0, mean: 0, square: 0 };
  using replays = new Replays(gpu);
  await using batches = new Batches(images, { batchSize: batch });
  for (let step = 0; step * batch < CROPS; step++) {
    if (signal?.aborted) return undefined;
    const { images } = await batches.next(step);
    const read = () => {
      using _scope = gpu.scope();
      return replays.run("posterior", [fromArray(gpu, images, shape)], ([images]) => {
        const { mean, logVariance } = noGrad(() => vae.encode(images));
        return [mean, logVariance];
      }).map((tensor) => tensor.readF32());
    };
    const [mean, logVariance] = await Promise.all(read());
    mean.forEach((value, i) => {
      sums.mean += value;
      sums.square += value ** 2 + Math.exp(logVariance[i]);
    });
    sums.count += mean.length;
  }
  const shift = sums.mean / sums.count;
  return { scale: 1 / Math.sqrt(sums.square / sums.count - shift ** 2), shift };
}
