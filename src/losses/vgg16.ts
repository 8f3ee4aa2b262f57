import type { Gpu } from "../gpu/mod.ts";
import { Conv2d, Parameters, type WeightSource } from "../nn/mod.ts";
import { div, maxPool2d, relu, sub } from "../ops/mod.ts";
import { constants, ShapeError, shapeText, type Tensor } from "../tensor/mod.ts";
import type { ShapeSource } from "../vae/mod.ts";

/** How many convolutions each stage has; a 2×2 max-pooling lies between the stages. */
const STAGES = [2, 2, 3, 3, 3];

/** The mean and the deviation of every colour, for images in [-1, 1] (LPIPS's `ScalingLayer`). */
const SHIFT = [-0.030, -0.088, -0.188];
const SCALE = [0.458, 0.448, 0.450];

/** The shortest side of an image: after four poolings one pixel is left. */
const MIN_SIDE = 2 ** (STAGES.length - 1);

/** The channels of VGG16's five stages. */
export const VGG16_CHANNELS: readonly number[] = [64, 128, 256, 512, 512];

/**
 * The convolutions of VGG16 (Simonyan & Zisserman 2015) with torchvision's key names, `features.0.weight`
 * to `features.28.bias`; what else is in such a file, its classifier, is not read. The weights are frozen:
 * gradients pass through to the image.
 *
 * @example
 * ```ts
 * import { Gpu, openTensors, Vgg16 } from "@coda/tokenizer";
 * import { full } from "@coda/tokenizer/tensor";
 *
 * async function shapes(gpu: Gpu): Promise<void> {
 *   using file = await openTensors("vgg16-397923af.pth");
 *   using vgg = await Vgg16.load(gpu, file);
 *   using _scope = gpu.scope();
 *   const features = vgg.features(full(gpu, [1, 64, 64, 3], 0));
 *   console.log(features.map(({ shape }) => shape)); // [1, 64, 64, 64] to [1, 4, 4, 512]
 * }
 * ```
 */
export class Vgg16 implements Disposable {
  /** Its parameters by torchvision's keys. */
  readonly parameters: Parameters;
  #stages: Conv2d[][];

  /** Declares the parameters, which are undefined until loaded; `channels` is for each stage. */
  constructor(gpu: Gpu, channels: readonly number[] = VGG16_CHANNELS) {
    if (channels.length !== STAGES.length) {
      throw new ShapeError("Vgg16", `expected the channels of 5 stages, found [${channels}]`);
    }
    this.parameters = new Parameters(gpu);
    const features = this.parameters.at("features");
    let index = 0;
    let input = SHIFT.length;
    this.#stages = STAGES.map((convs, stage) => {
      const made = Array.from({ length: convs }, () => {
        const conv = new Conv2d(features.at(`${index}`), input, channels[stage], {
          kernel: 3,
          padding: 1,
        });
        input = channels[stage];
        index += 2; // a ReLU counts too
        return conv;
      });
      index += 1; // and so does a pooling
      return made;
    });
  }

  /** Builds it and reads its weights. */
  static async load(gpu: Gpu, source: WeightSource): Promise<Vgg16> {
    const vgg = new Vgg16(gpu);
    try {
      await vgg.parameters.load(source);
      return vgg;
    } catch (error) {
      vgg[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * The features after the last ReLU of every stage (relu1_2, 2_2, 3_3, 4_3, 5_3) of images
   * [N, H, W, 3] in [-1, 1], whose colours are normalised here: [N, H/2ⁱ, W/2ⁱ, channels], rounded down.
   *
   * @throws {ShapeError} where the image is no [N, H, W, 3] of at least 16 by 16 pixels.
   */
  features(image: Tensor): Tensor[] {
    const [, height, width, colours] = image.shape;
    if (image.rank !== 4 || colours !== SHIFT.length || Math.min(height, width) < MIN_SIDE) {
      throw new ShapeError(
        "Vgg16",
        `expected [N, H, W, 3] with H and W at least ${MIN_SIDE}, found ${shapeText(image.shape)}`,
      );
    }
    using scope = image.gpu.scope();
    let x = normalized(image);
    return this.#stages.map((convs, stage) => {
      if (stage > 0) x = maxPool2d(x, { kernel: 2 });
      for (const conv of convs) x = activated(conv, x);
      return scope.keep(x);
    });
  }

  /** Frees the parameters. */
  [Symbol.dispose](): void {
    this.parameters[Symbol.dispose]();
  }
}

function normalized(image: Tensor): Tensor {
  const { gpu } = image;
  using scope = gpu.scope();
  return scope.keep(div(sub(image, constants(gpu, SHIFT, [3])), constants(gpu, SCALE, [3])));
}

/** A convolution and its ReLU; what lies between the two is freed where no gradient needs it. */
function activated(conv: Conv2d, x: Tensor): Tensor {
  using scope = x.gpu.scope();
  return scope.keep(relu(conv.forward(x)));
}

/**
 * How many channels each stage of a weight file's VGG16 has: {@link VGG16_CHANNELS}, or fewer in a thinner
 * one.
 *
 * @throws {TypeError} where a stage's first weight is missing.
 *
 * @example
 * ```ts
 * import { inferVgg16Channels } from "@coda/tokenizer";
 *
 * const sizes = [64, 128, 256, 512, 512];
 * const names = [0, 5, 10, 17, 24].map((layer) => `features.${layer}.weight`);
 * const info = (name: string) => ({ shape: [sizes[names.indexOf(name)], 1, 3, 3] });
 * const file = { file: "vgg16.pth", names, has: (name: string) => names.includes(name), info };
 * console.assert(inferVgg16Channels(file).join() === sizes.join());
 * ```
 */
export function inferVgg16Channels(weights: ShapeSource): number[] {
  let layer = 0;
  return STAGES.map((convs) => {
    const name = `features.${layer}.weight`;
    layer += 2 * convs + 1; // each with its ReLU, and a pooling
    if (weights.has(name)) return weights.info(name).shape[0];
    throw new TypeError(`tensor ${name} is missing: the file has no features of VGG16`);
  });
}
