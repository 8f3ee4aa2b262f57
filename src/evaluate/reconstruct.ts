import { type Image, imageToFloat } from "../data/mod.ts";
import { ImageVae } from "../image_vae.ts";
import type { Raster } from "../metrics/mod.ts";
import type { Quantizer } from "../quantizer/mod.ts";
import { fromArray, noGrad, normal, type Random, type Tensor } from "../tensor/mod.ts";
import type { Tokenizer } from "../tokenizer.ts";
import { expectFinite } from "../vae/finite.ts";
import { type AutoencoderKL, samplePosterior } from "../vae/mod.ts";
import { type Protocol, randomOf } from "./protocols.ts";

/** An image, and what becomes of it. */
export interface Reconstructed {
  /** The image as the protocol cuts it. */
  readonly original: Image;
  /** Through the continuous VAE. */
  readonly continuous: Raster;
  /** From its tokens. */
  readonly discrete: Raster;
  /** From the first 1, 2, … scales of its tokens, all but the last; none where they are not asked for. */
  readonly prefixes: readonly Raster[];
  /** The codes of each scale. */
  readonly indices: readonly Uint32Array[];
}

/** Takes images through a tokenizer, and through the continuous VAE beside it. */
export class Reconstructor implements Disposable {
  #tokenizer: Tokenizer;
  #continuous: ImageVae;
  #protocol: Protocol;
  #seed: number;
  #byScale: boolean;

  /** The models stay their makers'; `byScale` asks for prefixes of the scales. */
  constructor(
    tokenizer: Tokenizer,
    continuous: AutoencoderKL,
    { protocol, seed, byScale }: { protocol: Protocol; seed: number; byScale: boolean },
  ) {
    this.#tokenizer = tokenizer;
    this.#continuous = new ImageVae(continuous);
    this.#protocol = protocol;
    this.#seed = seed;
    this.#byScale = byScale;
  }

  /** @throws {RangeError} where an image is too small or too large. */
  async reconstruct(image: Image, file: string): Promise<Reconstructed> {
    const random = randomOf(file, this.#seed);
    const original = this.#protocol.cut(image, random);
    return this.#protocol.isSampled
      ? await this.#sampled(original, random)
      : await this.#ofMean(original);
  }

  /** Frees what was recorded for the VAE. */
  [Symbol.dispose](): void {
    this.#continuous[Symbol.dispose]();
  }

  async #ofMean(original: Image): Promise<Reconstructed> {
    const continuous = await this.#continuous.reconstruct(original);
    const tokens = await this.#tokenizer.encode(original);
    const discrete = await this.#tokenizer.decode(tokens);
    const prefixes: Raster[] = [];
    for (let scales = 1; this.#byScale && scales < tokens.grids.length; scales++) {
      prefixes.push(await this.#tokenizer.decode(tokens, { scales }));
    }
    return { original, continuous, discrete, prefixes, indices: tokens.indices };
  }

  async #sampled(original: Image, random: Random): Promise<Reconstructed> {
    const { vae, quantizer } = this.#tokenizer;
    const { rasters: [continuous] } = await throughSample(original, random, this.#continuous.vae);
    const { rasters, indices } = await throughSample(
      original,
      random,
      vae,
      quantizer,
      this.#byScale,
    );
    const discrete = rasters[rasters.length - 1];
    return { original, continuous, discrete, prefixes: rasters.slice(0, -1), indices };
  }
}

/**
 * An image whose sides are multiples of the reduction, through a draw of its latent; whole, in float32. With
 * `byScale` the first rasters are from fewer scales.
 */
async function throughSample(
  image: Image,
  random: Random,
  vae: AutoencoderKL,
  quantizer?: Quantizer,
  byScale = false,
): Promise<{ rasters: Raster[]; indices: readonly Uint32Array[] }> {
  const { width, height } = image;
  const record = (): [Promise<Float32Array>[], Promise<Uint32Array>[]] => {
    using _scope = vae.parameters.gpu.scope();
    const posterior = vae.encode(inputOf(vae.parameters.gpu, image));
    const { shape } = posterior.mean;
    const latent = samplePosterior(posterior, normal(vae.parameters.gpu, shape, random));
    const codes = quantizer?.encode(vae.scaleLatent(latent)) ?? [];
    const size = { height: shape[1], width: shape[2] };
    const counts = codes.map((_, scale) => scale + 1).slice(byScale ? 0 : -1);
    const latents = quantizer
      ? counts.map((scales) => vae.unscaleLatent(quantizer.decode(codes.slice(0, scales), size)))
      : [latent];
    return [
      latents.map((found) => vae.decode(found).readF32()),
      codes.map((index) => index.readU32()),
    ];
  };
  const [pixels, codes] = noGrad(record);
  const rasters = (await Promise.all(pixels)).map((values) => {
    expectFinite("the decoded image", values, vae.half);
    const data = values.map((value) => Math.min(Math.max((value + 1) * 127.5, 0), 255));
    return { width, height, data };
  });
  return { rasters, indices: await Promise.all(codes) };
}

/** An image as the networks take it, [1, H, W, 3] in [-1, 1]. */
export function inputOf(gpu: Tensor["gpu"], { width, height, data }: Raster): Tensor {
  const values = data instanceof Uint8Array
    ? imageToFloat({ width, height, data })
    : Float32Array.from(data, (value) => value / 127.5 - 1);
  return fromArray(gpu, values, [1, height, width, 3]);
}
