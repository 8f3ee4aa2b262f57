/**
 * How good a tokenizer is: PSNR, SSIM, distances of features, codebook use.
 *
 * @module
 */
export { type CodebookUse, codebookUse, useOfCounts } from "./codebook.ts";
export type { Features } from "./features.ts";
export { frechetDistance, frechetOfMoments } from "./frechet.ts";
export { InceptionV3 } from "./inception/inception.ts";
export { KernelBlocks, kernelDistance, pairedKernelDistance } from "./kid.ts";
export { FeatureMoments } from "./moments.ts";
export { meanPsnr, psnr } from "./psnr.ts";
export type { Raster } from "./raster.ts";
export { meanSsim, ssim } from "./ssim.ts";
