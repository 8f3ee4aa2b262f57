import type { Gpu } from "../gpu/mod.ts";
import { Conv2d, type Conv2dConfig, Parameters, type WeightSource } from "../nn/mod.ts";
import { add, affine, maxPool2d, mean, relu, sub } from "../ops/mod.ts";
import { constants, ShapeError, shapeText, type Tensor } from "../tensor/mod.ts";
import { foldedNorms } from "./folded_norms.ts";

/** The mean of ImageNet's colours, red first, for values from 0 to 255 (Keras' "caffe" mode). */
const MEAN = [123.68, 116.779, 103.939];

/** How wide and how deep a ResNet of bottleneck blocks is. */
export interface ResNetConfig {
  /** The channels of the first convolution. */
  readonly stem: number;
  /** Blocks of each stage. */
  readonly blocks: readonly number[];
  /** The channels within the blocks of each stage; four times as many leave them. */
  readonly channels: readonly number[];
}

/** ResNet-50's four stages. */
export const RESNET_50: ResNetConfig = {
  stem: 64,
  blocks: [3, 4, 6, 3],
  channels: [64, 128, 256, 512],
};

/**
 * ResNet-50 (He et al. 2016) in the form of Keras' applications (SPEC section 7): bottlenecks whose
 * stride is on the first 1×1 convolution, batch norm by its running statistics, which is folded into the
 * convolutions when the weights are read. They are frozen: gradients pass through to the image.
 *
 * Parameters carry Keras' names of layers, `conv2_block1_1_conv.weight` and `.bias`.
 *
 * @example
 * ```ts
 * import { Gpu, ResNet50, resnet50Weights } from "@coda/tokenizer";
 * import { full } from "@coda/tokenizer/tensor";
 *
 * async function shape(gpu: Gpu): Promise<void> {
 *   using weights = await resnet50Weights(); // 94 MB the first time
 *   using resnet = await ResNet50.load(gpu, weights);
 *   using pooled = resnet.pooled(full(gpu, [1, 224, 224, 3], 0));
 *   console.log(pooled.shape); // [1, 2048]
 * }
 * ```
 */
export class ResNet50 implements Disposable {
  /** Its convolutions, with the norms behind them. */
  readonly parameters: Parameters;
  #stem: Conv2d;
  #stages: Bottleneck[][];

  /** Declares the parameters, which are undefined until loaded. */
  constructor(gpu: Gpu, { stem, blocks, channels }: ResNetConfig = RESNET_50) {
    this.parameters = new Parameters(gpu);
    const conv: MakeConv = (name, input, output, config) =>
      new Conv2d(this.parameters.at(`${name}_conv`), input, output, config);
    this.#stem = conv("conv1", MEAN.length, stem, { kernel: 7, stride: 2, padding: 3 });
    let input = stem;
    this.#stages = blocks.map((count, stage) =>
      Array.from({ length: count }, (_, block) => {
        const name = `conv${stage + 2}_block${block + 1}`;
        const stride = stage > 0 && block === 0 ? 2 : 1;
        const made = bottleneck(conv, name, { input, channels: channels[stage], stride, block });
        input = 4 * channels[stage];
        return made;
      })
    );
  }

  /** Builds it and reads Keras' weights, as {@link resnet50Weights} has them. */
  static async load(gpu: Gpu, source: WeightSource): Promise<ResNet50> {
    const resnet = new ResNet50(gpu);
    try {
      await resnet.load(source);
      return resnet;
    } catch (error) {
      resnet[Symbol.dispose]();
      throw error;
    }
  }

  /** Reads Keras' weights. */
  async load(source: WeightSource): Promise<void> {
    await this.parameters.load(foldedNorms(source));
  }

  /**
   * The features behind each stage (Keras' conv2_block3_out to conv5_block3_out) of images
   * [N, H, W, 3] in [-1, 1]: [N, H/4, W/4, 256] to [N, H/32, W/32, 2048], rounded up.
   *
   * @throws {ShapeError} where the image is no [N, H, W, 3].
   */
  features(image: Tensor): Tensor[] {
    if (image.rank !== 4 || image.shape[3] !== MEAN.length) {
      throw new ShapeError("ResNet50", `expected [N, H, W, 3], found ${shapeText(image.shape)}`);
    }
    using scope = image.gpu.scope();
    const stem = relu(this.#stem.forward(preprocessed(image)));
    let x = maxPool2d(stem, { kernel: 3, stride: 2, padding: 1 });
    return this.#stages.map((blocks) => {
      for (const block of blocks) x = block(x);
      return scope.keep(x);
    });
  }

  /** The mean over the pixels of the last features: [N, 2048]. */
  pooled(image: Tensor): Tensor {
    using scope = image.gpu.scope();
    return scope.keep(mean(this.features(image).at(-1)!, { axes: [1, 2] }));
  }

  /** Frees the parameters. */
  [Symbol.dispose](): void {
    this.parameters[Symbol.dispose]();
  }
}

type MakeConv = (name: string, input: number, output: number, config: Conv2dConfig) => Conv2d;
type Bottleneck = (x: Tensor) => Tensor;

/** Three convolutions beside a shortcut, which in the first block of a stage is a convolution too. */
function bottleneck(
  conv: MakeConv,
  name: string,
  { input, channels, stride, block }: {
    input: number;
    channels: number;
    stride: number;
    block: number;
  },
): Bottleneck {
  const output = 4 * channels;
  const shortcut = block === 0
    ? conv(`${name}_0`, input, output, { kernel: 1, stride })
    : undefined;
  const reduce = conv(`${name}_1`, input, channels, { kernel: 1, stride });
  const middle = conv(`${name}_2`, channels, channels, { kernel: 3, padding: 1 });
  const expand = conv(`${name}_3`, channels, output, { kernel: 1 });
  return (x) => {
    using scope = x.gpu.scope();
    const y = expand.forward(relu(middle.forward(relu(reduce.forward(x)))));
    return scope.keep(relu(add(y, shortcut ? shortcut.forward(x) : x)));
  };
}

/** To 0 … 255, less the mean; the first convolution's weights take red first where Keras' take blue. */
function preprocessed(image: Tensor): Tensor {
  using scope = image.gpu.scope();
  return scope.keep(sub(affine(image, 127.5, 127.5), constants(image.gpu, MEAN, [3])));
}
