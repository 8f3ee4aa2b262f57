import type { Tensor } from "../tensor/mod.ts";

/** How different two batches of images look, by the features of a frozen network. */
export interface Perceptual extends Disposable {
  /** What the loss is called in reports: a distance that is not LPIPS has another name. */
  readonly name: "lpips" | "resnet-perceptual";
  /**
   * The mean distance of every pair of images, both [N, H, W, 3] in [-1, 1]: a scalar. Gradients flow to
   * whichever image wants one.
   */
  loss(found: Tensor, image: Tensor): Tensor;
}
