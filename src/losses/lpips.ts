import type { Gpu } from "../gpu/mod.ts";
import { Parameters, type WeightSource } from "../nn/mod.ts";
import { add, conv2d, mean, square, sub } from "../ops/mod.ts";
import { sameShape, ShapeError, shapeText, type Tensor } from "../tensor/mod.ts";
import type { Perceptual } from "./perceptual.ts";
import { ofUnitLength } from "./unit_length.ts";
import { Vgg16, VGG16_CHANNELS } from "./vgg16.ts";

/** Where LPIPS's weights come from: two files. */
export interface LpipsWeights {
  /** VGG16 with torchvision's keys, `features.N.weight` and `features.N.bias`. */
  vgg: WeightSource;
  /** The channels' weights, `lin0.model.1.weight` to `lin4.model.1.weight` (LPIPS's `vgg.pth`). */
  lin: WeightSource;
}

/**
 * LPIPS with VGG16 (Zhang et al. 2018; SPEC section 5): how different two images look, by the features
 * of a network. At every stage the features of a pixel are scaled to length 1, their squared
 * differences weighted by channel (`lin`), summed over channels and averaged over pixels; the stages are
 * added up.
 *
 * The weights are frozen; gradients flow to whichever image wants one. Where all features of a pixel are
 * 0 its gradient is 0, where PyTorch's would be no number.
 *
 * @example
 * ```ts
 * import { Gpu, Lpips, openTensors } from "@coda/tokenizer";
 * import type { Tensor } from "@coda/tokenizer/tensor";
 *
 * async function distance(gpu: Gpu, found: Tensor, image: Tensor): Promise<number> {
 *   using vgg = await openTensors("vgg16-397923af.pth");
 *   using lin = await openTensors("vgg.pth");
 *   using lpips = await Lpips.load(gpu, { vgg, lin });
 *   using loss = lpips.loss(found, image);
 *   return await loss.item();
 * }
 * ```
 */
export class Lpips implements Perceptual {
  /** What it is called in reports. */
  readonly name = "lpips";
  /** The network whose features are compared. */
  readonly vgg: Vgg16;
  /** The channels' weights, by their keys. */
  readonly parameters: Parameters;
  #lin: Tensor[];

  /** Declares the parameters, which are undefined until loaded; `channels` is for each stage of VGG16. */
  constructor(gpu: Gpu, channels: readonly number[] = VGG16_CHANNELS) {
    this.vgg = new Vgg16(gpu, channels);
    this.parameters = new Parameters(gpu);
    this.#lin = channels.map((count, stage) =>
      this.parameters.declare(`lin${stage}.model.1.weight`, [1, count, 1, 1], { layout: "conv2d" })
    );
  }

  /** Builds it and reads its weights; the error for one that is missing names the file and its key. */
  static async load(
    gpu: Gpu,
    weights: LpipsWeights,
    channels: readonly number[] = VGG16_CHANNELS,
  ): Promise<Lpips> {
    const lpips = new Lpips(gpu, channels);
    try {
      await lpips.load(weights);
      return lpips;
    } catch (error) {
      lpips[Symbol.dispose]();
      throw error;
    }
  }

  /** Reads the weights. */
  async load({ vgg, lin }: LpipsWeights): Promise<void> {
    await this.parameters.load(lin);
    await this.vgg.parameters.load(vgg);
  }

  /**
   * The distance of every pair of images, both [N, H, W, 3] in [-1, 1]: [N].
   *
   * @throws {ShapeError} where the shapes differ or a side is shorter than 16 pixels.
   */
  distances(found: Tensor, image: Tensor): Tensor {
    if (!sameShape(found.shape, image.shape)) {
      throw new ShapeError(
        "lpips",
        `images ${shapeText(found.shape)} and ${shapeText(image.shape)}: expected one shape`,
      );
    }
    using scope = found.gpu.scope();
    const wanted = this.vgg.features(image).map(ofUnitLength);
    const stages = this.vgg.features(found).map((features, stage) => {
      using inner = found.gpu.scope();
      const difference = square(sub(ofUnitLength(features), wanted[stage]));
      return inner.keep(mean(conv2d(difference, this.#lin[stage]), { axes: [1, 2, 3] }));
    });
    return scope.keep(stages.reduce((total, stage) => add(total, stage)));
  }

  /** The mean of {@link Lpips.distances}: a scalar. */
  loss(found: Tensor, image: Tensor): Tensor {
    using scope = found.gpu.scope();
    return scope.keep(mean(this.distances(found, image)));
  }

  /** Frees the parameters. */
  [Symbol.dispose](): void {
    this.vgg[Symbol.dispose]();
    this.parameters[Symbol.dispose]();
  }
}
