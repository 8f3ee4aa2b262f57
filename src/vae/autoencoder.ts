import type { Gpu } from "../gpu/mod.ts";
import { type Conv2d, Parameters, type ParametersOptions, type WeightSource } from "../nn/mod.ts";
import { add, affine, clamp, exp, type ImageSize, mul, slice } from "../ops/mod.ts";
import { ShapeError, shapeText, type Tensor } from "../tensor/mod.ts";
import type { BlockContext } from "./blocks.ts";
import { makeConv } from "./blocks.ts";
import { reductionOf, type VaeConfig } from "./config.ts";
import { Decoder } from "./decoder.ts";
import { Encoder } from "./encoder.ts";
import type { LayerTraining } from "./sequence.ts";
import { Stages } from "./stages.ts";

/** The posterior of a latent: a normal distribution at every position and channel. */
export interface Posterior {
  /** [N, h, w, z]. */
  readonly mean: Tensor;
  /** The logarithm of the variance, within [-30, 20]; [N, h, w, z]. */
  readonly logVariance: Tensor;
}

/** A draw from a posterior, by standard normal numbers of its shape. */
export function samplePosterior({ mean, logVariance }: Posterior, noise: Tensor): Tensor {
  using scope = mean.gpu.scope();
  const deviation = exp(affine(logVariance, 0.5, 0));
  return scope.keep(add(mean, mul(deviation, noise)));
}

/**
 * A continuous VAE of the AutoencoderKL family (SPEC section 2): KL-16, FLUX, Stable Diffusion and
 * smaller ones of the same build, with LDM key names.
 */
export class AutoencoderKL implements Disposable {
  /** Its shape. */
  readonly config: VaeConfig;
  /**
   * Whether its weights and the feature maps between its layers are stored in f16; what is computed,
   * and what goes in and comes out, is f32 all the same. It is for inference then.
   */
  readonly half: boolean;
  /** Its parameters by LDM key. */
  readonly parameters: Parameters;
  /** Its convolutions, which LoRA adapts. */
  readonly convs: readonly Conv2d[];
  /** How many pixels per side one latent position stands for. */
  readonly reduction: number;
  #training: LayerTraining;
  #encoder: Encoder;
  #decoder: Decoder;
  #quantConv: Conv2d | undefined;
  #postQuantConv: Conv2d | undefined;

  /**
   * Declares the parameters; they are undefined until loaded or initialised.
   *
   * @throws {GpuError} where the adapter has no f16 that is asked for.
   */
  constructor(gpu: Gpu, config: VaeConfig, { half = false }: ParametersOptions = {}) {
    const context: BlockContext = {
      groups: config.normGroups,
      convs: [],
      checkpointing: false,
    };
    const z = config.latentChannels;
    const pointwise = (name: string, channels: number) =>
      makeConv(context, this.parameters.at(name), channels, channels, { kernel: 1, dtype: "f32" });
    this.config = config;
    this.half = half;
    this.reduction = reductionOf(config);
    this.parameters = new Parameters(gpu, { half });
    this.#encoder = new Encoder(context, this.parameters.at("encoder"), config);
    this.#decoder = new Decoder(context, this.parameters.at("decoder"), config);
    this.#quantConv = config.quantConv ? pointwise("quant_conv", 2 * z) : undefined;
    this.#postQuantConv = config.postQuantConv ? pointwise("post_quant_conv", z) : undefined;
    this.convs = context.convs;
    this.#training = context;
  }

  /**
   * Whether its blocks compute their activations again for the gradients instead of keeping them; see
   * {@link checkpoint}. Not unless set. It changes memory and time, and no bit of any result.
   */
  get checkpointing(): boolean {
    return this.#training.checkpointing;
  }

  set checkpointing(wanted: boolean) {
    this.#training.checkpointing = wanted;
  }

  /** Builds the autoencoder and reads its weights. */
  static async load(gpu: Gpu, config: VaeConfig, source: WeightSource): Promise<AutoencoderKL> {
    const vae = new AutoencoderKL(gpu, config);
    try {
      await vae.parameters.load(source);
      return vae;
    } catch (error) {
      vae[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * The same autoencoder with its weights and feature maps stored in f16, in place of this one, which is
   * freed. A value in a feature map that exceeds 65504 makes what comes out NaN.
   *
   * @throws {GpuError} where the adapter has no f16.
   */
  toHalf(): AutoencoderKL {
    const half = new AutoencoderKL(this.parameters.gpu, this.config, { half: true });
    half.parameters.takeOver(this.parameters);
    return half;
  }

  /** Mean, then log-variance as the network gives it: [N, H, W, 3] in [-1, 1] → [N, H/f, W/f, 2z]. */
  moments(image: Tensor): Tensor {
    const [, height, width, channels] = image.shape;
    const f = this.reduction;
    if (image.rank !== 4 || channels !== this.config.inChannels || height % f || width % f) {
      throw new ShapeError(
        "encode",
        `expected [N, H, W, ${this.config.inChannels}] with H and W multiples of ${f}, ` +
          `found ${shapeText(image.shape)}`,
      );
    }
    using scope = image.gpu.scope();
    const hidden = this.#encoder.forward(image);
    return scope.keep(this.#quantConv?.forward(hidden) ?? hidden);
  }

  /** The posterior of an image's latent. */
  encode(image: Tensor): Posterior {
    using scope = image.gpu.scope();
    const { mean, logVariance } = this.posterior(this.moments(image));
    return { mean: scope.keep(mean), logVariance: scope.keep(logVariance) };
  }

  /** The posterior that moments stand for. */
  posterior(moments: Tensor): Posterior {
    using scope = moments.gpu.scope();
    const z = this.config.latentChannels;
    const [batch, height, width] = moments.shape;
    const mean = slice(moments, [0, 0, 0, 0], [batch, height, width, z]);
    const logVariance = clamp(slice(moments, [0, 0, 0, z]), { min: -30, max: 20 });
    return { mean: scope.keep(mean), logVariance: scope.keep(logVariance) };
  }

  /** The image of a latent: [N, h, w, z] → [N, f·h, f·w, 3], about [-1, 1] and not clamped. */
  decode(z: Tensor): Tensor {
    if (z.rank !== 4 || z.shape[3] !== this.config.latentChannels) {
      throw new ShapeError(
        "decode",
        `expected [N, h, w, ${this.config.latentChannels}], found ${shapeText(z.shape)}`,
      );
    }
    using scope = z.gpu.scope();
    return scope.keep(this.#decoder.forward(this.#postQuantConv?.forward(z) ?? z));
  }

  /**
   * {@link AutoencoderKL.moments} of one image of this size, as stages that can be run in bands.
   *
   * @internal
   */
  encoderStages({ height, width }: ImageSize, keyParts: number = 1): Stages {
    const channels = this.config.inChannels;
    const stages = new Stages({ height, width, channels, dtype: "f32" }, keyParts);
    const hidden = this.#encoder.addTo(stages, stages.input);
    if (this.#quantConv) stages.conv(this.#quantConv, hidden);
    return stages;
  }

  /**
   * {@link AutoencoderKL.decode} to one image of this size, as stages that can be run in bands.
   *
   * @internal
   */
  decoderStages({ height, width }: ImageSize, keyParts: number = 1): Stages {
    const f = this.reduction;
    const channels = this.config.latentChannels;
    const z = { height: height / f, width: width / f, channels, dtype: "f32" as const };
    const stages = new Stages(z, keyParts);
    this.#decoder.addTo(stages, this.#postQuantConv ? stages.conv(this.#postQuantConv, z) : z);
    return stages;
  }

  /** What the quantizer sees of a latent: `(z - shift) · scale`. */
  scaleLatent(z: Tensor): Tensor {
    const { scale, shift } = this.config;
    return affine(z, scale, -shift * scale);
  }

  /** The latent behind what the quantizer sees: `z / scale + shift`. */
  unscaleLatent(scaled: Tensor): Tensor {
    const { scale, shift } = this.config;
    return affine(scaled, 1 / scale, shift);
  }

  /** Frees the parameters. */
  [Symbol.dispose](): void {
    this.parameters[Symbol.dispose]();
  }
}
