import { Random } from "../tensor/mod.ts";

/*
 * Every random number of a run comes from its seed and one of the streams below, so that a run
 * continued at any step draws what an unbroken one would have drawn.
 */
const QUANTIZER = 0;
const LORA = 1;
const DISCRIMINATOR = 2;
const VAE = 3;
const FIRST_STEP = 16;
const FIRST_EPOCH = 2 ** 31;
const FIRST_CROP = 2 ** 31 + 2 ** 30;

/** The quantizer's first values. */
export function quantizerRandom(seed: number): Random {
  return new Random(seed, QUANTIZER);
}

/** The adapters' first values. */
export function loraRandom(seed: number): Random {
  return new Random(seed, LORA);
}

/** The first values of the discriminator's heads. */
export function discriminatorRandom(seed: number): Random {
  return new Random(seed, DISCRIMINATOR);
}

/** Which of one step's images the discriminator sees cropped, and where. */
export function cropRandom(seed: number, step: number): Random {
  return new Random(seed, FIRST_CROP + step);
}

/** The first values of an autoencoder from scratch. */
export function vaeRandom(seed: number): Random {
  return new Random(seed, VAE);
}

/** The posterior noise of one step. */
export function noiseRandom(seed: number, step: number): Random {
  return new Random(seed, FIRST_STEP + step);
}

/** The order of the cached latents in one epoch of the warm-up. */
export function epochRandom(seed: number, epoch: number): Random {
  return new Random(seed, FIRST_EPOCH + epoch);
}
