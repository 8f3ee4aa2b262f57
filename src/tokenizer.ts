import {
  type FloatDtype,
  loadTokenizer,
  saveTokenizer,
  type TokenizerFiles,
  type TokenizerOptions,
} from "./checkpoint/mod.ts";
import { crop, floatToImage, type Image, imageToFloat, padTo } from "./data/mod.ts";
import { Gpu, OutOfMemoryError } from "./gpu/mod.ts";
import { tune } from "./ops/mod.ts";
import { type Grid, gridsFor, type Quantizer } from "./quantizer/mod.ts";
import { empty, fromArray, type Tensor } from "./tensor/mod.ts";
import { requireModel, type Tokens } from "./tokens/mod.ts";
import { type OfMoments, type ToLatent, VaeInMemory, type Values } from "./vae/in_memory.ts";
import type { AutoencoderKL, MemoryPlan } from "./vae/mod.ts";

/** How a tokenizer is loaded. What its files say needs no option. */
export interface LoadTokenizerOptions extends TokenizerOptions {
  /** The device to use; without it the tokenizer makes one and disposes it with itself. */
  gpu?: Gpu;
  /** Bytes of GPU memory that the device which is made may use; see {@link GpuOptions.memoryBytes}. */
  memoryBytes?: number;
}

/** How tokens are decoded. */
export interface DecodeOptions {
  /** How many scales to use, coarse to fine; all that the tokens hold by default. */
  scales?: number;
}

/** The most pixels along a side: kernels multiply positions by lengths in 32 bits. */
const MAX_SIDE = 2 ** 15 - 1;

/**
 * Turns images into discrete tokens and back: a continuous VAE with CODA's quantizer, or with one that it is
 * compared with.
 *
 * The same image gives the same tokens alone and in any batch, and in whatever memory: what does not
 * fit the device at once is computed in bands.
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
  readonly quantizer: Quantizer;
  /** The hash of the weights by which token files know their model: 64 hexadecimal digits. */
  readonly modelId: string;
  #ownsGpu: boolean;
  #inMemory: VaeInMemory;
  /** The codes of each scale of an image's mean latent. */
  #codes: OfMoments = {
    name: "codes",
    make: (moments) => {
      const { mean } = this.vae.posterior(moments);
      return this.quantizer.encode(this.vae.scaleLatent(mean));
    },
  };

  private constructor(
    gpu: Gpu,
    ownsGpu: boolean,
    vae: AutoencoderKL,
    quantizer: Quantizer,
    id: string,
  ) {
    this.gpu = gpu;
    this.#ownsGpu = ownsGpu;
    this.vae = vae;
    this.#inMemory = new VaeInMemory(vae);
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
   * @throws {GpuError} where half is asked for and the adapter has no f16.
   */
  static async load(
    source?: string | TokenizerFiles,
    options: LoadTokenizerOptions = {},
  ): Promise<Tokenizer> {
    const gpu = options.gpu ?? await Gpu.create({ memoryBytes: options.memoryBytes });
    try {
      await tune(gpu);
      const { vae, quantizer, modelId } = await loadTokenizer(gpu, source, options);
      return new Tokenizer(gpu, !options.gpu, vae, quantizer, modelId);
    } catch (error) {
      if (!options.gpu) gpu[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * How an image of this size is encoded, or decoded, within the memory that the device may use:
   * {@link Gpu.memoryBytes} and the adapter's limits. With a `count`, how so many are encoded together;
   * where that is too much, how each is by itself.
   *
   * @throws {RangeError} where the size is that of no image, or no plan fits.
   */
  plan(
    work: "encode" | "decode",
    size: { readonly width: number; readonly height: number },
    count: number = 1,
  ): MemoryPlan {
    this.#checkSize(size);
    const padded = this.#paddedSize(size);
    try {
      const { path, bytes } = work === "encode"
        ? this.#inMemory.planEncode(padded, count, this.#codes)
        : this.#inMemory.planDecode(padded, this.#latentOf(padded, this.#anyIndices(padded)));
      return { path, bytes };
    } catch (error) {
      throw tooLarge(size, error);
    }
  }

  /**
   * The tokens of an image of any size and aspect ratio. Where a side is no multiple of the reduction,
   * the image's edge is repeated up to the next one; the tokens remember the original size.
   *
   * @throws {RangeError} where the image is smaller than one latent position, or larger than the
   * adapter can hold.
   * @throws {HalfOverflowError} where the model is in half, which cannot hold what it computes.
   */
  async encode(image: Image): Promise<Tokens> {
    const [tokens] = await this.encodeBatch([image]);
    return tokens;
  }

  /** The tokens of several images of one size, computed together. @throws {RangeError} for mixed sizes. */
  async encodeBatch(images: readonly Image[]): Promise<Tokens[]> {
    const { width, height } = this.#batchSize(images);
    const padded = this.#paddedSize({ width, height });
    const scales = await this.#encoded(images, padded, this.#codes);
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
        return new Uint32Array(all.subarray(n * count, (n + 1) * count));
      }),
    }));
  }

  /**
   * The image of tokens; with fewer scales a coarser one of the same size.
   *
   * @throws {TokenFileError} where another model made the tokens.
   * @throws {RangeError} where `scales` is not between 1 and what the tokens hold, or sizes, grids or
   * codebook are not those of the model.
   * @throws {HalfOverflowError} as {@link Tokenizer.encode}.
   */
  async decode(tokens: Tokens, options: DecodeOptions = {}): Promise<Image> {
    const scales = options.scales ?? tokens.grids.length;
    this.#checkTokens(tokens, scales);
    const padded = this.#paddedSize(tokens);
    const indices = tokens.grids.slice(0, scales).map(({ height, width }, i) => () =>
      fromArray(this.gpu, tokens.indices[i], [1, height, width])
    );
    return await this.#decoded(tokens, this.#latentOf(padded, indices));
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
    const [mean] = await this.#encoded([image], padded, {
      name: "mean",
      make: (moments) => [this.vae.posterior(moments).mean],
    });
    const latent = this.#latentSize(padded);
    const shape = [1, latent.height, latent.width, this.vae.config.latentChannels];
    return await this.#decoded(image, {
      name: "latent",
      inputs: () => [fromArray(this.gpu, mean, shape)],
      make: ([latent]) => latent,
    });
  }

  /**
   * Writes the tokenizer to a folder that {@link Tokenizer.load} reads.
   *
   * @throws {WriteError} where the folder cannot be written.
   * @throws {TypeError} where it was loaded in half: its weights are not those of its id.
   */
  async save(folder: string, options: { dtype?: FloatDtype } = {}): Promise<void> {
    await saveTokenizer(this, folder, options);
  }

  /** Frees weights and recordings, and the device where the tokenizer made it. */
  [Symbol.dispose](): void {
    this.#inMemory[Symbol.dispose]();
    this.vae[Symbol.dispose]();
    this.quantizer[Symbol.dispose]();
    if (this.#ownsGpu) this.gpu[Symbol.dispose]();
  }

  /** The values of what `then` makes of the moments of images of one size. */
  async #encoded(images: readonly Image[], padded: Size, then: OfMoments): Promise<Values[]> {
    try {
      const values = () => this.#valuesOf(images, padded);
      return await this.#inMemory.encode(values, padded, images.length, then);
    } catch (error) {
      throw tooLarge(images[0], error);
    }
  }

  /** The VAE's latent of the codes of scales. */
  #latentOf(padded: Size, indices: readonly (() => Tensor)[]): ToLatent {
    return {
      name: `${indices.length} scales`,
      inputs: () => indices.map((index) => index()),
      make: (indices) =>
        this.vae.unscaleLatent(this.quantizer.decode(indices, this.#latentSize(padded))),
    };
  }

  /** Codes that say nothing, for a plan. */
  #anyIndices(padded: Size): (() => Tensor)[] {
    return this.#grids(padded).map(({ height, width }) => () =>
      empty(this.gpu, [1, height, width], "u32")
    );
  }

  /** The image of a size whose latent, that of the size padded, is made. */
  async #decoded({ width, height }: Size, latent: ToLatent): Promise<Image> {
    const padded = this.#paddedSize({ width, height });
    try {
      const values = await this.#inMemory.decode(padded, latent);
      return crop(floatToImage(values, padded.width, padded.height), 0, 0, height, width);
    } catch (error) {
      throw tooLarge({ width, height }, error);
    }
  }

  #valuesOf(images: readonly Image[], { width, height }: Size): Float32Array {
    const size = width * height * 3;
    const values = new Float32Array(images.length * size);
    images.forEach((image, n) =>
      imageToFloat(padTo(image, { width, height }), values.subarray(n * size, (n + 1) * size))
    );
    return values;
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
    this.#checkSize({ width, height });
    images.forEach(checkData);
    return { width, height };
  }

  #checkSize({ width, height }: Size): void {
    const f = this.vae.reduction;
    if (width < f || height < f) {
      throw new RangeError(
        `an image of ${width}×${height} is smaller than one token, ${f}×${f} pixels: enlarge it`,
      );
    }
    const padded = this.#paddedSize({ width, height });
    if (Math.max(padded.width, padded.height) > MAX_SIDE) {
      throw new RangeError(
        `an image of ${width}×${height} is too large: a side may have ${MAX_SIDE} pixels: shrink it`,
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
    this.#checkSize(tokens);
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

/** An error that says, where memory was too small, for which image. */
function tooLarge({ width, height }: Size, error: unknown): unknown {
  if (!(error instanceof OutOfMemoryError)) return error;
  const text = `an image of ${width}×${height} is too large for this adapter: ${error.message}`;
  return new RangeError(`${text}: shrink it`, { cause: error });
}
