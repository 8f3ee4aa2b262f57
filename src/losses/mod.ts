/**
 * Losses of the adaptation.
 *
 * @module
 */
export { DINO_SMALL_16, DinoVit, type VitConfig } from "./dino/vit.ts";
export { type ReconstructionLosses, reconstructionLosses } from "./reconstruction.ts";
