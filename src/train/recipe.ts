/** What the mathematics of an adaptation depends on; the defaults are SPEC sections 5 and 6's. */
export interface Recipe {
  /** Steps of quantizer and LoRA together. */
  steps: number;
  /** Steps of the quantizer alone, on cached latents, before them. */
  warmupSteps: number;
  /** The learning rate, falling to 0 as half a cosine. */
  lr: number;
  /** The constant learning rate of the warm-up, where the quantizer bears a higher one; `lr`. */
  warmupLr?: number;
  /** Decides the first values and all noise. */
  seed: number;
  /** Whether latents are drawn from their posterior; else its mean is used. */
  samplePosterior: boolean;
  /** AdamW's decay of the moments. */
  betas: readonly [number, number];
  /** AdamW's decoupled weight decay. */
  weightDecay: number;
  /** The same for the discriminator. */
  discWeightDecay: number;
  /** The norm that the gradients of either side, generator and discriminator, are clipped to. */
  clip: number;
  /** Whether the autoencoder keeps what the backward pass reads in f16: see {@link withHalfActivations}. */
  halfActivations: boolean;
  /** The weight of L1. */
  l1Weight: number;
  /** The weight of L2. */
  l2Weight: number;
  /** The weight of the perceptual loss. */
  perceptualWeight: number;
  /** The weight of the adversarial loss beside its adaptive one and the ramp. */
  discWeight: number;
  /** The weight of the entropy loss L_e; L_q has 1. */
  entropyWeight: number;
  /** The weight of the divergence of a latent that stays continuous. */
  klWeight: number;
}

/** The paper's settings, for a run of `steps`. */
export function defaultRecipe(steps: number): Recipe {
  return {
    steps,
    warmupSteps: 0,
    lr: 5e-4,
    seed: 0,
    samplePosterior: true,
    betas: [0.5, 0.9],
    weightDecay: 0.005,
    discWeightDecay: 0.0005,
    clip: 10,
    halfActivations: false,
    l1Weight: 0.2,
    l2Weight: 1,
    perceptualWeight: 1,
    discWeight: 1,
    entropyWeight: 0.05,
    klWeight: 1e-6,
  };
}
