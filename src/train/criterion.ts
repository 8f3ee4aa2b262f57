import { discriminatorLoss, generatorLoss, reconstructionLosses } from "../losses/mod.ts";
import { add, affine, clamp, mean, mul, stopGradient } from "../ops/mod.ts";
import { gradients, type Tensor } from "../tensor/mod.ts";
import { adaptiveWeight } from "./adaptive_weight.ts";
import type { Recipe } from "./recipe.ts";
import type { Critics } from "./trained_model.ts";

/** A logit times this is beyond 1 if it is above 0. */
const STEEP = 1e30;

/** What a reconstruction's adversarial loss depends on beside the two images. */
export interface AdversarialTerm {
  /** The weight by whose gradients `g` is weighed; the reconstruction depends on it. */
  readonly lastLayer: Tensor;
  /** What `g` is multiplied by beside that, as the run proceeds; a scalar. */
  readonly ramp: Tensor;
  /** Whether the discriminator sees the reconstruction cropped, and where: see {@link cropOr}. */
  readonly crop?: Tensor;
}

/** What the discriminator's side of a step may be told. */
export interface DiscriminatorTerm {
  /** What of its step's loss a batch makes up; 1 unless given. */
  readonly share?: number;
  /** The crop of the images. */
  readonly cropReal?: Tensor;
  /** The crop of the reconstructions. */
  readonly cropFake?: Tensor;
}

/** What the generator's side of a step is told about a reconstruction. */
export interface GeneratorPass {
  /**
   * `l1`, `l2` and what the perceptual network's is called; with a discriminator `g`, and `adaptiveWeight`,
   * which it was multiplied by beside the ramp.
   */
  readonly scalars: Readonly<Record<string, Tensor>>;
  /** The losses' weighted sum. */
  readonly total: Tensor;
  /** Its gradient with respect to the reconstruction. */
  readonly cotangent: Tensor;
}

/** What the discriminator's side of a step is told. */
export interface DiscriminatorPass {
  /** `d`, the hinge loss, and the shares of logits on the right side of 0, `accReal` and `accFake`. */
  readonly scalars: Readonly<Record<string, Tensor>>;
  /** The gradients of the discriminator's parameters, in order. */
  readonly gradients: readonly Tensor[];
}

/**
 * The losses of reconstructions (SPEC section 5): `0.2·L1 + L2 + LPIPS + ramp · w · g`, and the
 * discriminator's own. Where a critic is missing, so are its losses.
 */
export class Criterion {
  #critics: Critics;
  #recipe: Recipe;

  /** The critics belong to the caller. */
  constructor(critics: Critics, recipe: Recipe) {
    this.#critics = critics;
    this.#recipe = recipe;
  }

  /**
   * The losses of reconstructions [B, H, W, 3] of images of the same shape. Each critic's graph is freed
   * before the next one's is made; the reconstruction's own is kept, for its maker to pass the cotangent on.
   */
  generator(found: Tensor, image: Tensor, adversarial?: AdversarialTerm): GeneratorPass {
    using scope = found.gpu.scope();
    const leaf = stopGradient(found).requireGrad();
    const losses = this.#pixelLosses(leaf, image);
    const total = this.#weighted(losses);
    const [cotangent] = gradients(total, [leaf]);
    const pixels = { scalars: losses, total, cotangent };
    const pass = adversarial ? this.#withAdversarial(pixels, found, leaf, adversarial) : pixels;
    for (const kept of [...Object.values(pass.scalars), pass.total, pass.cotangent]) {
      scope.keep(kept);
    }
    return pass;
  }

  /**
   * The discriminator's loss of images and reconstructions as they are, and the gradients of a `share` of
   * it.
   */
  discriminator(
    found: Tensor,
    image: Tensor,
    { share = 1, cropReal, cropFake }: DiscriminatorTerm = {},
  ): DiscriminatorPass {
    using scope = found.gpu.scope();
    const { discriminator } = this.#critics;
    if (!discriminator) throw new TypeError("Criterion: there is no discriminator");
    const real = discriminator.forward(image, { crop: cropReal });
    const fake = discriminator.forward(stopGradient(found), { crop: cropFake });
    const d = discriminatorLoss(real, fake);
    const accReal = shareAboveZero(real);
    const accFake = affine(shareAboveZero(fake), -1, 1);
    const wanted = [...discriminator.parameters].map(({ tensor }) => tensor);
    const ofHeads = gradients(affine(d, share, 0), wanted);
    for (const kept of [d, accReal, accFake, ...ofHeads]) scope.keep(kept);
    return { scalars: { d, accReal, accFake }, gradients: ofHeads };
  }

  #pixelLosses(found: Tensor, image: Tensor): Record<string, Tensor> {
    const { l1, l2 } = reconstructionLosses(found, image);
    const { perceptual } = this.#critics;
    return perceptual ? { l1, l2, [perceptual.name]: perceptual.loss(found, image) } : { l1, l2 };
  }

  #weighted({ l1, l2, ...perceptual }: Record<string, Tensor>): Tensor {
    const { l1Weight, l2Weight, perceptualWeight } = this.#recipe;
    const pixels = add(affine(l1, l1Weight, 0), affine(l2, l2Weight, 0));
    return Object.values(perceptual)
      .reduce((total, loss) => add(total, affine(loss, perceptualWeight, 0)), pixels);
  }

  #withAdversarial(
    { scalars, total, cotangent }: GeneratorPass,
    found: Tensor,
    leaf: Tensor,
    { lastLayer, ramp, crop }: AdversarialTerm,
  ): GeneratorPass {
    const g = generatorLoss(this.#critics.discriminator!.forward(leaf, { crop }));
    const [ofG] = gradients(g, [leaf]);
    const ratio = adaptiveWeight(found, lastLayer, { pixels: cotangent, adversarial: ofG });
    const weight = affine(ratio, this.#recipe.discWeight, 0);
    const scale = mul(ramp, weight);
    return {
      scalars: { ...scalars, g, adaptiveWeight: weight },
      total: add(total, mul(scale, g)),
      cotangent: add(cotangent, mul(scale, ofG)),
    };
  }
}

function shareAboveZero(logits: Tensor): Tensor {
  return mean(clamp(affine(stopGradient(logits), STEEP, 0), { min: 0, max: 1 }));
}
