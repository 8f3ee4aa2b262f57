import { type Image, imageToFloat } from "../data/mod.ts";
import { ImageVae } from "../image_vae.ts";
import type { Gpu } from "../gpu/mod.ts";
import type { Quantizer } from "../quantizer/mod.ts";
import { fromArray, noGrad, normal, type Random, type Tensor } from "../tensor/mod.ts";
import type { Tokenizer } from "../tokenizer.ts";
import { expectFinite, expectFiniteWeights } from "../vae/finite.ts";
import { type AutoencoderKL, samplePosterior } from "../vae/mod.ts";
import { type Protocol, randomOf } from "./protocols.ts";
import { truncatedImage } from "./truncated.ts";

type Values = Float32Array;

/** An image, and what becomes of it. */
export interface Reconstructed {
  /** The image as the protocol cuts it. */
  readonly original: Image;
  /** Through the continuous VAE. */
  readonly continuous: Image;
  /** From its tokens. */
  readonly discrete: Image;
  /** From the first 1, 2, … scales of its tokens, all but the last; none where they are not asked for. */
  readonly prefixes: readonly Image[];
  /** Of the first three, what networks see, in [-1, 1], where it is not the images' 8 bits. */
  readonly values?: readonly [original: Values, continuous: Values, discrete: Values];
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
  #sound: Promise<void> | undefined;

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

  /**
   * Takes an image through both.
   *
   * @throws {RangeError} where the image is too small or too large.
   * @throws {NotFiniteError} where a latent, an image or the quantizer's weights are not finite.
   */
  async reconstruct(image: Image, file: string): Promise<Reconstructed> {
    const original = this.#protocol.cut(image, randomOf(file, this.#seed, "crop"));
    return this.#protocol.isSampled
      ? await this.#sampled(original, file)
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
    const prefixes: Image[] = [];
    for (let scales = 1; this.#byScale && scales < tokens.grids.length; scales++) {
      prefixes.push(await this.#tokenizer.decode(tokens, { scales }));
    }
    return { original, continuous, discrete, prefixes, indices: tokens.indices };
  }

  /** Both VAEs draw the same numbers: neither's results depend on the other. */
  async #sampled(image: Image, file: string): Promise<Reconstructed> {
    const { vae, quantizer } = this.#tokenizer;
    this.#sound ??= expectFiniteWeights("the quantizer", quantizer.parameters);
    await this.#sound;
    const { width, height } = image;
    const values = imageToFloat(image);
    const shown = (of: Values) => truncatedImage(of, width, height);
    const random = () => randomOf(file, this.#seed, "latent");
    const { found: [continuous] } = await throughSample(image, random(), this.#continuous.vae);
    const { found, indices } = await throughSample(image, random(), vae, quantizer, this.#byScale);
    const discrete = found[found.length - 1];
    return {
      original: shown(values),
      continuous: shown(continuous),
      discrete: shown(discrete),
      prefixes: found.slice(0, -1).map(shown),
      values: [values, continuous, discrete],
      indices,
    };
  }
}

/**
 * An image whose sides are multiples of the reduction, through a draw of its latent; whole, in float32, in
 * [-1, 1]. With `byScale` the first that are found are from fewer scales.
 */
async function throughSample(
  image: Image,
  random: Random,
  vae: AutoencoderKL,
  quantizer?: Quantizer,
  byScale = false,
): Promise<{ found: Values[]; indices: readonly Uint32Array[] }> {
  const { gpu } = vae.parameters;
  const record = (): [Promise<Float32Array>[], Promise<Uint32Array>[], Promise<Float32Array>] => {
    using _scope = gpu.scope();
    const posterior = vae.encode(inputOf(gpu, image));
    const { shape } = posterior.mean;
    const latent = samplePosterior(posterior, normal(gpu, shape, random));
    const codes = quantizer?.encode(vae.scaleLatent(latent)) ?? [];
    const size = { height: shape[1], width: shape[2] };
    const counts = codes.map((_, scale) => scale + 1).slice(byScale ? 0 : -1);
    const latents = quantizer
      ? counts.map((scales) => vae.unscaleLatent(quantizer.decode(codes.slice(0, scales), size)))
      : [latent];
    return [
      latents.map((found) => vae.decode(found).readF32()),
      codes.map((index) => index.readU32()),
      latent.readF32(),
    ];
  };
  const [images, codes, latent] = noGrad(record);
  const [encoded, indices, ...decoded] = await Promise.all([latent, Promise.all(codes), ...images]);
  expectFinite("what the image is encoded to", encoded, vae.half);
  const found = decoded.map((values) => {
    expectFinite("the decoded image", values, vae.half);
    return values.map((value) => Math.min(Math.max(value, -1), 1));
  });
  return { found, indices };
}

/** An image as the networks take it, [1, H, W, 3] in [-1, 1]; of its 8 bits, or of other values. */
export function inputOf(
  gpu: Gpu,
  image: Image,
  values: Values = imageToFloat(image),
): Tensor {
  return fromArray(gpu, values, [1, image.height, image.width, 3]);
}
