/**
 * Losses of the adaptation.
 *
 * @module
 */
export { DINO_SMALL_16, DinoVit, type VitConfig } from "./dino/vit.ts";
export { Lpips, type LpipsWeights } from "./lpips.ts";
export { type ReconstructionLosses, reconstructionLosses } from "./reconstruction.ts";
export { Vgg16, VGG16_CHANNELS } from "./vgg16.ts";
