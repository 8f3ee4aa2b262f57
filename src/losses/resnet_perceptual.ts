import { add, affine, mean, square, sub, sum } from "../ops/mod.ts";
import { sameShape, ShapeError, shapeText, type Tensor } from "../tensor/mod.ts";
import type { Perceptual } from "./perceptual.ts";
import type { ResNet50 } from "./resnet50.ts";
import { ofUnitLength } from "./unit_length.ts";

/**
 * `resnet-perceptual` (SPEC section 7): how different two images look, by the features of ResNet-50, for
 * where LPIPS's weights are not at hand. It is no LPIPS: no weights of channels were fitted to what
 * people see. At each of the four stages the features of a pixel are scaled to length 1; the squared
 * differences are summed over channels and averaged over pixels, and the stages are averaged. So it is
 * from 0 to 2.
 *
 * @example
 * ```ts
 * import { Gpu, ResNet50, resnet50Weights, ResnetPerceptual } from "@coda/tokenizer";
 * import type { Tensor } from "@coda/tokenizer/tensor";
 *
 * async function distance(gpu: Gpu, found: Tensor, image: Tensor): Promise<number> {
 *   using weights = await resnet50Weights();
 *   using resnet = await ResNet50.load(gpu, weights);
 *   using loss = new ResnetPerceptual(resnet).loss(found, image);
 *   return await loss.item();
 * }
 * ```
 */
export class ResnetPerceptual implements Perceptual {
  /** Its name in reports. */
  readonly name = "resnet-perceptual";
  /** The network whose features are compared; it goes with this. */
  readonly resnet: ResNet50;

  /** Takes charge of the network. */
  constructor(resnet: ResNet50) {
    this.resnet = resnet;
  }

  /**
   * The distance of every pair of images, both [N, H, W, 3] in [-1, 1]: [N].
   *
   * @throws {ShapeError} where the shapes differ.
   */
  distances(found: Tensor, image: Tensor): Tensor {
    if (!sameShape(found.shape, image.shape)) {
      throw new ShapeError(
        "resnetPerceptual",
        `images ${shapeText(found.shape)} and ${shapeText(image.shape)}: expected one shape`,
      );
    }
    using scope = found.gpu.scope();
    const wanted = this.resnet.features(image).map(ofUnitLength);
    const stages = this.resnet.features(found).map((features, stage) => {
      using inner = found.gpu.scope();
      const difference = square(sub(ofUnitLength(features), wanted[stage]));
      return inner.keep(mean(sum(difference, { axes: [3] }), { axes: [1, 2] }));
    });
    return scope.keep(
      affine(stages.reduce((total, stage) => add(total, stage)), 1 / stages.length, 0),
    );
  }

  /** The mean of {@link ResnetPerceptual.distances}: a scalar. */
  loss(found: Tensor, image: Tensor): Tensor {
    using scope = found.gpu.scope();
    return scope.keep(mean(this.distances(found, image)));
  }

  /** Frees the network. */
  [Symbol.dispose](): void {
    this.resnet[Symbol.dispose]();
  }
}
