import type { Gpu } from "../../gpu/mod.ts";
import { Conv2d, normalWith, Parameters, type WeightSource } from "../../nn/mod.ts";
import { add, broadcastTo, concat, reshape, slice } from "../../ops/mod.ts";
import { ShapeError, shapeText, type Tensor } from "../../tensor/mod.ts";
import { VitBlock } from "./vit_block.ts";

/** The shape of a vision transformer whose tokens are read out at several depths. */
export interface VitConfig {
  /** Height and width of an image in pixels. */
  readonly imageSize: number;
  /** Height and width of a patch in pixels; divides the image's. */
  readonly patchSize: number;
  /** Channels of a token. */
  readonly width: number;
  /** Attention heads; divide the width. */
  readonly heads: number;
  /** How many blocks there are. */
  readonly depth: number;
  /** After which blocks, counted from 0, the tokens are read out; they always are before block 0. */
  readonly readouts: readonly number[];
}

/** DINO's ViT-S/16 (Caron et al. 2021) with the readouts of the discriminator (SPEC section 5). */
export const DINO_SMALL_16: VitConfig = {
  imageSize: 224,
  patchSize: 16,
  width: 384,
  heads: 6,
  depth: 12,
  readouts: [2, 5, 8, 11],
};

/**
 * A frozen vision transformer, the features of the discriminator (SPEC section 5). Its weights never take
 * gradients; those of the loss pass through it to the image.
 *
 * Parameters carry the names of `dino_deitsmall16_pretrain.pth`; the final norm is not used and not read.
 *
 * @example
 * ```ts
 * import { DinoVit, Gpu } from "@coda/tokenizer";
 * import { Random, zeros } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const config = { imageSize: 32, patchSize: 16, width: 24, heads: 2, depth: 2, readouts: [1] };
 * using vit = new DinoVit(gpu, config);
 * vit.parameters.initialize(new Random(0)); // or DinoVit.load(gpu, source)
 * const [before, after] = vit.forward(zeros(gpu, [1, 32, 32, 3]));
 * console.assert(before.shape.join() === "1,4,24" && after.shape.join() === "1,4,24");
 * ```
 */
export class DinoVit implements Disposable {
  /** Its shape. */
  readonly config: VitConfig;
  /** Its parameters by official key; frozen. */
  readonly parameters: Parameters;
  #classToken: Tensor;
  #positions: Tensor;
  #patches: Conv2d;
  #blocks: readonly VitBlock[];

  /** Declares the parameters; they are undefined until loaded or initialised. */
  constructor(gpu: Gpu, config: VitConfig = DINO_SMALL_16) {
    const { imageSize, patchSize, width, heads, depth } = config;
    this.config = config;
    this.parameters = new Parameters(gpu);
    const tokens = (imageSize / patchSize) ** 2 + 1;
    const initialize = normalWith(0.02);
    this.#classToken = this.parameters.declare("cls_token", [1, 1, width], { initialize });
    this.#positions = this.parameters.declare("pos_embed", [1, tokens, width], { initialize });
    this.#patches = new Conv2d(this.parameters.at("patch_embed").at("proj"), 3, width, {
      kernel: patchSize,
      stride: patchSize,
    });
    const blocks = this.parameters.at("blocks");
    this.#blocks = Array.from(
      { length: depth },
      (_, i) => new VitBlock(blocks.at(`${i}`), width, heads),
    );
  }

  /**
   * Builds the transformer and reads its weights. As in the official code, the k part of every qkv bias
   * becomes zero: it adds the same to all scores of a query, which softmax takes out again.
   */
  static async load(
    gpu: Gpu,
    source: WeightSource,
    config: VitConfig = DINO_SMALL_16,
  ): Promise<DinoVit> {
    const vit = new DinoVit(gpu, config);
    try {
      await vit.parameters.load(withoutKeyBias(source, config.width));
      return vit;
    } catch (error) {
      vit[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Images [B, imageSize, imageSize, 3], normalised by ImageNet's mean and deviation → one readout before
   * block 0 and one after each of `readouts`: patch tokens plus class token, [B, patches, width].
   *
   * @throws {ShapeError} for images of another shape.
   */
  forward(images: Tensor): Tensor[] {
    this.#check(images);
    using scope = images.gpu.scope();
    let x = this.#embed(images);
    const found = [readout(x)];
    this.#blocks.forEach((block, i) => {
      x = block.forward(x);
      if (this.config.readouts.includes(i)) found.push(readout(x));
    });
    return found.map((tensor) => scope.keep(tensor));
  }

  /** Frees the parameters. */
  [Symbol.dispose](): void {
    this.parameters[Symbol.dispose]();
  }

  #embed(images: Tensor): Tensor {
    const [batch] = images.shape;
    const { width } = this.config;
    const patches = reshape(this.#patches.forward(images), [batch, -1, width]);
    const classToken = broadcastTo(this.#classToken, [batch, 1, width]);
    return add(concat([classToken, patches], 1), this.#positions);
  }

  #check({ shape }: Tensor): void {
    const { imageSize: size } = this.config;
    if (shape.length === 4 && shape.slice(1).join() === [size, size, 3].join()) return;
    throw new ShapeError(
      "DinoVit",
      `expected images [B, ${size}, ${size}, 3], found ${shapeText(shape)}; resize them first`,
    );
  }
}

function readout(x: Tensor): Tensor {
  const [batch] = x.shape;
  return add(slice(x, [0, 1]), slice(x, [0, 0], [batch, 1]));
}

/** The source with zeros in the k part, the middle third, of every qkv bias. */
function withoutKeyBias(source: WeightSource, width: number): WeightSource {
  return {
    file: source.file,
    has: (name) => source.has(name),
    floats: async (name, shape) => {
      const values = await source.floats(name, shape);
      return name.endsWith(".attn.qkv.bias") ? values.slice().fill(0, width, 2 * width) : values;
    },
  };
}
