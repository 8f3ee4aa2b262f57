import {
  type FloatDtype,
  loadTokenizer,
  saveTokenizer,
  type TokenizerFiles,
  type TokenizerOptions,
} from "./checkpoint/mod.ts";
import { crop, floatToImage, type Image, imageToFloat, padTo } from "./data/mod.ts";
import { Gpu } from "./gpu/mod.ts";
import { type CodaQuantizer, type Grid, gridsFor } from "./quantizer/mod.ts";
import { fromArray, type Tensor } from "./tensor/mod.ts";
import { requireModel, type Tokens } from "./tokens/mod.ts";
import type { AutoencoderKL } from "./vae/mod.ts";

/** How a tokenizer is loaded. What its files say needs no option. */
export interface LoadTokenizerOptions extends TokenizerOptions {
  /** The device to use; without it the tokenizer makes one and disposes it with itself. */
  gpu?: Gpu;
}

/** How tokens are decoded. */
export interface DecodeOptions {
  /** How many scales to use, coarse to fine; all that the tokens hold by default. */
  scales?: number;
}

const BYTES_PER_FLOAT = 4;

/**
 * Turns images into discrete tokens and back: a continuous VAE with CODA's quantizer.
 *
 * The same image gives the same tokens alone and in any batch.
 *
 * @example
 * ```ts
 * import { Tokenizer } from "@coda/tokenizer";
 *
 * using tokenizer = await Tokenizer.load();
 * const image = { width: 64, height: 48, data: new Uint8Array(64 * 48 * 3).fill(128) };
 * const tokens = await tokenizer.encode(image);
 * const again = await tokenizer.decode(tokens);
 * console.assert(again.width === 64 && again.height === 48);
 * ```
 */
export class Tokenizer implements Disposable {
  /** The device it runs on. */
  readonly gpu: Gpu;
  /** The continuous autoencoder, LoRA fused. */
  readonly vae: AutoencoderKL;
  /** The quantizer. */
  readonly quantizer: CodaQuantizer;
  /** The hash of the weights by which token files know their model: 64 hexadecimal digits. */
  readonly modelId: string;
  #ownsGpu: boolean;

  private constructor(
    gpu: Gpu,
    ownsGpu: boolean,
    vae: AutoencoderKL,
    quantizer: CodaQuantizer,
    id: string,
  ) {
    this.gpu = gpu;
    this.#ownsGpu = ownsGpu;
    this.vae = vae;
    this.quantizer = quantizer;
    this.modelId = id;
  }

  /**
   * Loads a tokenizer: from a folder that `coda adapt` wrote, an official CODA folder (`vae_ema.pth`
   * and `quantizer_ema.pth`) or a weight file that holds both models; from files already open; or,
   * without an argument, the one that ships with the package. What a path names its files say, not an
   * option.
   *
   * @throws {CheckpointError} where config.json is no tokenizer's, or a tensor is missing or has
   * another shape; it names file and field or tensor.
   * @throws {NoAdapterError} where there is no GPU adapter.
   */
  static async load(
    source?: string | TokenizerFiles,
    options: LoadTokenizerOptions = {},
  ): Promise<Tokenizer> {
    const gpu = options.gpu ?? await Gpu.create();
    try {
      const { vae, quantizer, modelId } = await loadTokenizer(gpu, source, options);
      return new Tokenizer(gpu, !options.gpu, vae, quantizer, modelId);
    } catch (error) {
      if (!options.gpu) gpu[Symbol.dispose]();
      throw error;
    }
  }

  /** The most pixels that an image may have on this adapter, alone in its batch. */
  get maxPixels(): number {
    const limit = this.gpu.adapter.limits.maxStorageBufferBindingSize;
    const widest = Math.max(...this.vae.config.channels.slice(0, 2)); // both work at full resolution
    return Math.floor(limit / (widest * BYTES_PER_FLOAT));
  }

  /**
   * The tokens of an image of any size and aspect ratio. Where a side is no multiple of the reduction,
   * the image's edge is repeated up to the next one; the tokens remember the original size.
   *
   * @throws {RangeError} where the image is smaller than one latent position, or larger than the
   * adapter can hold.
   */
  async encode(image: Image): Promise<Tokens> {
    const [tokens] = await this.encodeBatch([image]);
    return tokens;
  }

  /** The tokens of several images of one size, computed together. @throws {RangeError} for mixed sizes. */
  async encodeBatch(images: readonly Image[]): Promise<Tokens[]> {
    const { width, height } = this.#batchSize(images);
    const padded = this.#paddedSize({ width, height });
    const scales = await Promise.all(this.#recordEncode(images, padded));
    const isPadded = padded.width !== width || padded.height !== height;
    return images.map((_, n) => ({
      width,
      height,
      ...(isPadded ? { decoded: padded } : {}),
      codebookSize: this.quantizer.config.codebookSize,
      modelId: this.modelId.slice(0, 32),
      grids: this.#grids(padded),
      indices: scales.map((all) => {
        const count = all.length / images.length;
        return all.slice(n * count, (n + 1) * count);
      }),
    }));
  }

  /**
   * The image of tokens; with fewer scales a coarser one of the same size.
   *
   * @throws {TokenFileError} where another model made the tokens.
   * @throws {RangeError} where `scales` is not between 1 and what the tokens hold, or sizes, grids or
   * codebook are not those of the model.
   */
  async decode(tokens: Tokens, options: DecodeOptions = {}): Promise<Image> {
    const scales = options.scales ?? tokens.grids.length;
    this.#checkTokens(tokens, scales);
    const padded = this.#paddedSize(tokens);
    const values = await this.#recordDecode(tokens, padded, scales);
    return crop(
      floatToImage(values, padded.width, padded.height),
      0,
      0,
      tokens.height,
      tokens.width,
    );
  }

  /**
   * The image through the adapted VAE alone, its latent undiscretized. This VAE has learned to decode
   * tokens; the one it was adapted from, {@link loadVae}, is the ceiling that papers compare with.
   *
   * @throws {RangeError} as {@link Tokenizer.encode}.
   */
  async reconstruct(image: Image): Promise<Image> {
    const { width, height } = this.#batchSize([image]);
    const padded = this.#paddedSize({ width, height });
    const values = await this.#recordReconstruct(image, padded);
    return crop(floatToImage(values, padded.width, padded.height), 0, 0, image.height, image.width);
  }

  /**
   * Writes the tokenizer to a folder that {@link Tokenizer.load} reads.
   *
   * @throws {WriteError} where the folder cannot be written.
   */
  async save(folder: string, options: { dtype?: FloatDtype } = {}): Promise<void> {
    await saveTokenizer(this, folder, options);
  }

  /** Frees the weights, and the device where the tokenizer made it. */
  [Symbol.dispose](): void {
    this.vae[Symbol.dispose]();
    this.quantizer[Symbol.dispose]();
    if (this.#ownsGpu) this.gpu[Symbol.dispose]();
  }

  #recordEncode(images: readonly Image[], padded: Size): Promise<Uint32Array>[] {
    using _scope = this.gpu.scope();
    const { mean } = this.vae.encode(this.#upload(images, padded));
    const indices = this.quantizer.encode(this.vae.scaleLatent(mean));
    return indices.map((index) => index.readU32());
  }

  #recordDecode(tokens: Tokens, padded: Size, scales: number): Promise<Float32Array> {
    using _scope = this.gpu.scope();
    const indices = tokens.grids.slice(0, scales).map(({ height, width }, i) =>
      fromArray(this.gpu, tokens.indices[i], [1, height, width])
    );
    const fHat = this.quantizer.decode(indices, this.#latentSize(padded));
    return this.vae.decode(this.vae.unscaleLatent(fHat)).readF32();
  }

  #recordReconstruct(image: Image, padded: Size): Promise<Float32Array> {
    using _scope = this.gpu.scope();
    const { mean } = this.vae.encode(this.#upload([image], padded));
    return this.vae.decode(mean).readF32();
  }

  #upload(images: readonly Image[], { width, height }: Size): Tensor {
    const size = width * height * 3;
    const values = new Float32Array(images.length * size);
    images.forEach((image, n) =>
      imageToFloat(padTo(image, { width, height }), values.subarray(n * size, (n + 1) * size))
    );
    return fromArray(this.gpu, values, [images.length, height, width, 3]);
  }

  #batchSize(images: readonly Image[]): Size {
    if (images.length === 0) throw new RangeError("encode: there is no image");
    const [{ width, height }] = images;
    const other = images.find((image) => image.width !== width || image.height !== height);
    if (other) {
      throw new RangeError(
        `encode: a batch holds ${width}×${height} and ${other.width}×${other.height}: ` +
          "images of one batch have one size",
      );
    }
    this.#checkSize({ width, height }, images.length);
    images.forEach(checkData);
    return { width, height };
  }

  #checkSize({ width, height }: Size, count: number): void {
    const f = this.vae.reduction;
    if (width < f || height < f) {
      throw new RangeError(
        `an image of ${width}×${height} is smaller than one token, ${f}×${f} pixels: enlarge it`,
      );
    }
    const most = this.maxPixels / count;
    const padded = this.#paddedSize({ width, height });
    if (padded.width * padded.height > most) {
      const megapixels = (most / 1e6).toFixed(2);
      throw new RangeError(
        `an image of ${width}×${height} is too large for this adapter, which holds ` +
          `${megapixels} megapixels of this model at once: shrink it`,
      );
    }
  }

  #paddedSize({ width, height }: Size): Size {
    const up = (side: number) => Math.ceil(side / this.vae.reduction) * this.vae.reduction;
    return { width: up(width), height: up(height) };
  }

  #latentSize({ width, height }: Size): Grid {
    return { width: width / this.vae.reduction, height: height / this.vae.reduction };
  }

  #grids(padded: Size): Grid[] {
    const { height, width } = this.#latentSize(padded);
    return gridsFor(this.quantizer.config.patchSizes, height, width);
  }

  #checkTokens(tokens: Tokens, scales: number): void {
    requireModel(tokens, this.modelId);
    if (!Number.isInteger(scales) || scales < 1 || scales > tokens.grids.length) {
      throw new RangeError(
        `decode: ${scales} scales of tokens that hold 1 to ${tokens.grids.length}`,
      );
    }
    this.#checkSize(tokens, 1);
    const padded = this.#paddedSize(tokens);
    const { width, height } = tokens.decoded ?? tokens;
    if (width !== padded.width || height !== padded.height) {
      throw new RangeError(
        `decode: the tokens cover ${width}×${height}, a ${tokens.width}×${tokens.height} image ` +
          `takes ${padded.width}×${padded.height}: encode it again`,
      );
    }
    const { codebookSize } = this.quantizer.config;
    if (tokens.codebookSize !== codebookSize) {
      throw new RangeError(
        `decode: the tokens are of ${tokens.codebookSize} codes, the model has ${codebookSize}: ` +
          "encode the image again",
      );
    }
    const grids = this.#grids(padded);
    const fits = tokens.grids.every(({ height, width }, i) =>
      height === grids[i]?.height && width === grids[i]?.width
    );
    if (!fits) {
      throw new RangeError(
        `decode: the tokens' grids are not those of a ${tokens.width}×${tokens.height} image: ` +
          "encode it again",
      );
    }
  }
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** Refuses an image whose bytes are not those of its size. */
function checkData({ width, height, data }: Image): void {
  const isWhole = Number.isInteger(width) && Number.isInteger(height);
  if (isWhole && data.length === width * height * 3) return;
  throw new RangeError(
    `encode: an image of ${width}×${height} has ${data.length} bytes, ` +
      "expected whole numbers and three bytes a pixel",
  );
}
