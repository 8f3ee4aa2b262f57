import { Parameters, type WeightSource } from "../../nn/mod.ts";
import { concat } from "../../ops/mod.ts";
import { type Random, ShapeError, shapeText, type Tensor } from "../../tensor/mod.ts";
import { DinoHead } from "./head.ts";
import { HeadParameters } from "./head_parameters.ts";
import { vitInput } from "./input.ts";
import type { DinoVit } from "./vit.ts";

/** How {@link DinoDiscriminator.forward} runs. */
export interface DiscriminatorOptions {
  /**
   * Whether batch norms take the batch's statistics and spectral norms a power iteration, and both change
   * what is stored; true unless given, as every forward of the official training has it.
   */
  readonly training?: boolean;
  /** Whether the images are cropped instead of resized, and where: u32 [3], as {@link drawCrop} draws. */
  readonly crop?: Tensor;
}

/**
 * The discriminator of SPEC section 5: a head of spectrally normalised convolutions on each readout of a
 * frozen ViT. Parameters and buffers carry the names of the official `discriminator.pth`
 * (`heads.0.0.0.weight_orig`, ...); its `num_batches_tracked`, which nothing depends on, are not kept.
 *
 * @example
 * ```ts
 * import { DinoDiscriminator, DinoVit, Gpu } from "@coda/tokenizer";
 * import { Random, zeros } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const config = { imageSize: 48, patchSize: 16, width: 24, heads: 2, depth: 2, readouts: [1] };
 * using vit = new DinoVit(gpu, config);
 * vit.parameters.initialize(new Random(0));
 * using discriminator = new DinoDiscriminator(vit);
 * discriminator.initialize(new Random(1));
 * console.assert(discriminator.forward(zeros(gpu, [2, 32, 32, 3])).shape.join() === "2,18");
 * ```
 */
export class DinoDiscriminator implements Disposable {
  /** What is trained, by official key. */
  readonly parameters: Parameters;
  /** Spectral-norm vectors and running statistics, by official key: part of the state, not trained. */
  readonly buffers: Parameters;
  /** The transformer that it looks through; frozen. */
  readonly vit: DinoVit;
  #heads: readonly DinoHead[];

  /** Declares the heads of a ViT that the caller keeps; undefined until loaded or initialised. */
  constructor(vit: DinoVit) {
    const { gpu } = vit.parameters;
    this.vit = vit;
    this.parameters = new Parameters(gpu);
    this.buffers = new Parameters(gpu);
    const heads = new HeadParameters(this.parameters, this.buffers).at("heads");
    const { width, readouts } = vit.config;
    this.#heads = Array.from(
      { length: readouts.length + 1 },
      (_, i) => new DinoHead(heads.at(`${i}`), width),
    );
  }

  /** Reads parameters and buffers. */
  async load(source: WeightSource): Promise<void> {
    await this.parameters.load(source);
    await this.buffers.load(source);
  }

  /** Gives both their first values: weights normal with deviation 0.02, biases 0 (SPEC section 6). */
  initialize(random: Random): void {
    this.parameters.initialize(random);
    this.buffers.initialize(random);
  }

  /**
   * Images [B, H, W, 3] in [-1, 1] → logits [B, heads · patches], head after head.
   *
   * @throws {ShapeError} for images of another shape.
   */
  forward(images: Tensor, { training = true, crop }: DiscriminatorOptions = {}): Tensor {
    const { shape, gpu } = images;
    if (shape.length !== 4 || shape[3] !== 3) {
      const found = shapeText(shape);
      throw new ShapeError("DinoDiscriminator", `expected images [B, H, W, 3], found ${found}`);
    }
    using scope = gpu.scope();
    const readouts = this.vit.forward(vitInput(images, this.vit.config.imageSize, crop));
    const logits = readouts.map((tokens, i) => this.#heads[i].forward(tokens, training));
    return scope.keep(concat(logits, 1));
  }

  /** Frees parameters and buffers; the ViT stays with its maker. */
  [Symbol.dispose](): void {
    this.parameters[Symbol.dispose]();
    this.buffers[Symbol.dispose]();
  }
}
