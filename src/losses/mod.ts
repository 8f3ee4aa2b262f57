/**
 * Losses of the adaptation.
 *
 * @module
 */
export { type ReconstructionLosses, reconstructionLosses } from "./reconstruction.ts";
