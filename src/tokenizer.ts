import {
  type FloatDtype,
  loadTokenizer,
  saveTokenizer,
  type TokenizerFiles,
  type TokenizerOptions,
} from "./checkpoint/mod.ts";
import type { Image } from "./data/mod.ts";
import { Gpu } from "./gpu/mod.ts";
import { ImageVae } from "./image_vae.ts";
import { tune } from "./ops/mod.ts";
import { type Grid, gridsFor, type LatentEncoder, type Quantizer } from "./quantizer/mod.ts";
import { empty, fromArray, type Tensor } from "./tensor/mod.ts";
import { requireModel, type Size, type Tokens } from "./tokens/mod.ts";
import { expectFiniteWeights } from "./vae/finite.ts";
import type { OfMoments, ToLatent, Values } from "./vae/in_memory.ts";
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

/** An image's tokens, and how sure they are. */
export interface TokensWithMargins {
  /** The tokens. */
  readonly tokens: Tokens;
  /** For each scale, by how much each token's logit exceeds the second largest. */
  readonly margins: readonly Float32Array[];
  /** For each scale of tokens that were given, by how much each one's logit exceeds that of the one given. */
  readonly behind: readonly Float32Array[];
}

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
  /** The quantizer. Its parameters stay as loaded: what an encode makes of them is held. */
  readonly quantizer: Quantizer;
  /** The hash of the weights by which token files know their model: 64 hexadecimal digits. */
  readonly modelId: string;
  #ownsGpu: boolean;
  #images: ImageVae;
  #encoder: LatentEncoder | undefined;
  #sound: Promise<void> | undefined;

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
    this.#images = new ImageVae(vae);
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
    this.#images.checkSize(size);
    if (work === "encode") return this.#images.planEncode(size, count, this.#codes());
    const padded = this.#images.paddedSize(size);
    return this.#images.planDecode(size, this.#latentOf(padded, this.#anyIndices(padded)));
  }

  /**
   * The tokens of an image of any size and aspect ratio. Where a side is no multiple of the reduction,
   * the image's edge is repeated up to the next one; the tokens remember the original size.
   *
   * @throws {RangeError} where the image is smaller than one latent position, or larger than the
   * adapter can hold.
   * @throws {NotFiniteError} where the image's latent or the quantizer's weights are not finite, as of a
   * damaged model; {HalfOverflowError} where the model is in half, which cannot hold what it computes.
   */
  async encode(image: Image): Promise<Tokens> {
    const [tokens] = await this.encodeBatch([image]);
    return tokens;
  }

  /**
   * The tokens of several images of one size, computed together.
   *
   * @throws {RangeError} for mixed sizes, and as {@link Tokenizer.encode}.
   */
  async encodeBatch(images: readonly Image[]): Promise<Tokens[]> {
    const scales = await this.#images.encode(images, this.#codes());
    await this.#expectSound();
    return images.map((image, n) =>
      this.#tokensOf(image, scales.map((all) => part(all, n, images.length)))
    );
  }

  /**
   * The tokens of an image, with how far the second largest logit of each lies below the largest: a
   * token whose margin is small may be another on another adapter.
   *
   * @param given Tokens of the image, or of its first scales, to compare with.
   * @throws {RangeError} as {@link Tokenizer.encode}, and where the quantizer's rows are too wide for it.
   */
  async encodeWithMargins(image: Image, given?: Tokens): Promise<TokensWithMargins> {
    const encoder = this.#madeEncoder();
    const grids = given?.grids ?? [];
    if (given) this.#checkTokens(given, grids.length);
    const values = await this.#images.encode([image], {
      name: `codes with margins, ${grids.length} given`,
      inputs: () =>
        grids.map(({ height, width }, scale) =>
          fromArray(this.gpu, given!.indices[scale], [1, height, width])
        ),
      make: (moments, given) => {
        const scales = encoder.encodeWithMargins(this.#meanLatent(moments), given);
        const behind = scales.flatMap(({ behind }) => behind ? [behind] : []);
        return [
          ...scales.map(({ index }) => index),
          ...scales.map(({ margin }) => margin),
          ...behind,
        ];
      },
    });
    await this.#expectSound();
    const count = (values.length - grids.length) / 2;
    const floats = (from: number, to?: number) =>
      values.slice(from, to).map((all) => new Float32Array(all));
    return {
      tokens: this.#tokensOf(image, values.slice(0, count).map((all) => new Uint32Array(all))),
      margins: floats(count, 2 * count),
      behind: floats(2 * count),
    };
  }

  /**
   * The image of tokens; with fewer scales a coarser one of the same size.
   *
   * @throws {TokenFileError} where another model made the tokens.
   * @throws {RangeError} where `scales` is not between 1 and what the tokens hold, or sizes, grids or
   * codebook are not those of the model.
   * @throws {NotFiniteError} where the model made no numbers of them, and not an image.
   */
  async decode(tokens: Tokens, options: DecodeOptions = {}): Promise<Image> {
    const scales = options.scales ?? tokens.grids.length;
    this.#checkTokens(tokens, scales);
    const padded = this.#images.paddedSize(tokens);
    const indices = tokens.grids.slice(0, scales).map(({ height, width }, i) => () =>
      fromArray(this.gpu, tokens.indices[i], [1, height, width])
    );
    return await this.#images.decode(tokens, this.#latentOf(padded, indices));
  }

  /**
   * The image through the adapted VAE alone, its latent undiscretized. This VAE has learned to decode
   * tokens; the one it was adapted from, {@link loadVae}, is the ceiling that papers compare with.
   *
   * @throws {RangeError} as {@link Tokenizer.encode}.
   */
  async reconstruct(image: Image): Promise<Image> {
    return await this.#images.reconstruct(image);
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
    this.#images[Symbol.dispose]();
    this.#encoder?.[Symbol.dispose]();
    this.vae[Symbol.dispose]();
    this.quantizer[Symbol.dispose]();
    if (this.#ownsGpu) this.gpu[Symbol.dispose]();
  }

  /** The codes of each scale of an image's mean latent. */
  #codes(): OfMoments {
    const encoder = this.#madeEncoder();
    return { name: "codes", make: (moments) => encoder.encode(this.#meanLatent(moments)) };
  }

  /** Refuses codes of a quantizer whose weights are not finite; they are read once, as they stay. */
  async #expectSound(): Promise<void> {
    this.#sound ??= expectFiniteWeights("the quantizer", this.quantizer.parameters);
    await this.#sound;
  }

  /**
   * What finds codes. What it makes of the weights, the keys of all codes, is made when images are first
   * encoded, before what that takes is measured or recorded, and held for those that follow.
   */
  #madeEncoder(): LatentEncoder {
    this.#encoder ??= this.quantizer.encoder?.();
    return this.#encoder ?? this.quantizer;
  }

  #meanLatent(moments: Tensor): Tensor {
    return this.vae.scaleLatent(this.vae.posterior(moments).mean);
  }

  /** The VAE's latent of the codes of scales. */
  #latentOf(padded: Size, indices: readonly (() => Tensor)[]): ToLatent {
    return {
      name: `${indices.length} scales`,
      inputs: () => indices.map((index) => index()),
      make: (indices) =>
        this.vae.unscaleLatent(this.quantizer.decode(indices, this.#images.latentSize(padded))),
    };
  }

  /** Codes that say nothing, for a plan. */
  #anyIndices(padded: Size): (() => Tensor)[] {
    return this.#grids(padded).map(({ height, width }) => () =>
      empty(this.gpu, [1, height, width], "u32")
    );
  }

  #tokensOf({ width, height }: Size, indices: Uint32Array[]): Tokens {
    const padded = this.#images.paddedSize({ width, height });
    const isPadded = padded.width !== width || padded.height !== height;
    return {
      width,
      height,
      ...(isPadded ? { decoded: padded } : {}),
      codebookSize: this.quantizer.config.codebookSize,
      modelId: this.modelId.slice(0, 32),
      ...(this.vae.half ? { half: true } : {}),
      grids: this.#grids(padded),
      indices,
    };
  }

  #grids(padded: Size): Grid[] {
    const { height, width } = this.#images.latentSize(padded);
    return gridsFor(this.quantizer.config.patchSizes, height, width);
  }

  #checkTokens(tokens: Tokens, scales: number): void {
    requireModel(tokens, this.modelId);
    if (!Number.isInteger(scales) || scales < 1 || scales > tokens.grids.length) {
      throw new RangeError(
        `decode: ${scales} scales of tokens that hold 1 to ${tokens.grids.length}`,
      );
    }
    this.#images.checkSize(tokens);
    const padded = this.#images.paddedSize(tokens);
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

/** The part of image `n` of `images` that were encoded together. */
function part(all: Values, n: number, images: number): Uint32Array {
  const count = all.length / images;
  return new Uint32Array(all.subarray(n * count, (n + 1) * count));
}
