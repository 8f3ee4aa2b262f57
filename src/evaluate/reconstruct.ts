import { type Image, imageToFloat } from "../data/mod.ts";
import { ImageVae } from "../image_vae.ts";
import type { Raster } from "../metrics/mod.ts";
import type { Quantizer } from "../quantizer/mod.ts";
import { fromArray, noGrad, normal, type Random, type Tensor } from "../tensor/mod.ts";
import type { Tokenizer } from "../tokenizer.ts";
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
  /** The codes of each scale. */
  readonly indices: readonly Uint32Array[];
}

/** Takes images through a tokenizer, and through the continuous VAE beside it. */
export class Reconstructor implements Disposable {
  #tokenizer: Tokenizer;
  #continuous: ImageVae;
  #protocol: Protocol;
  #seed: number;

  /** The models stay their makers'. */
  constructor(tokenizer: Tokenizer, continuous: AutoencoderKL, protocol: Protocol, seed: number) {
    this.#tokenizer = tokenizer;
    this.#continuous = new ImageVae(continuous);
    this.#protocol = protocol;
    this.#seed = seed;
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
    return { original, continuous, discrete, indices: tokens.indices };
  }

  async #sampled(original: Image, random: Random): Promise<Reconstructed> {
    const { vae, quantizer } = this.#tokenizer;
    const continuous = await throughSample(original, random, this.#continuous.vae);
    const discrete = await throughSample(original, random, vae, quantizer);
    return {
      original,
      continuous: continuous.raster,
      discrete: discrete.raster,
      indices: discrete.indices,
    };
  }
}

/** An image whose sides are multiples of the reduction, through a draw of its latent; whole, in float32. */
async function throughSample(
  image: Image,
  random: Random,
  vae: AutoencoderKL,
  quantizer?: Quantizer,
): Promise<{ raster: Raster; indices: readonly Uint32Array[] }> {
  const { width, height } = image;
  const record = (): [Promise<Float32Array>, Promise<Uint32Array>[]] => {
    using _scope = vae.parameters.gpu.scope();
    const posterior = vae.encode(inputOf(vae.parameters.gpu, image));
    const { shape } = posterior.mean;
    const latent = samplePosterior(posterior, normal(vae.parameters.gpu, shape, random));
    const codes = quantizer?.encode(vae.scaleLatent(latent)) ?? [];
    const size = { height: shape[1], width: shape[2] };
    const found = quantizer ? vae.unscaleLatent(quantizer.decode(codes, size)) : latent;
    return [vae.decode(found).readF32(), codes.map((index) => index.readU32())];
  };
  const [pixels, codes] = noGrad(record);
  const data = (await pixels).map((value) => Math.min(Math.max((value + 1) * 127.5, 0), 255));
  return { raster: { width, height, data }, indices: await Promise.all(codes) };
}

/** An image as the networks take it, [1, H, W, 3] in [-1, 1]. */
export function inputOf(gpu: Tensor["gpu"], { width, height, data }: Raster): Tensor {
  const values = data instanceof Uint8Array
    ? imageToFloat({ width, height, data })
    : Float32Array.from(data, (value) => value / 127.5 - 1);
  return fromArray(gpu, values, [1, height, width, 3]);
}
