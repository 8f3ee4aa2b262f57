/**
 * How good a tokenizer is: PSNR, SSIM, distances of features, codebook use.
 *
 * @module
 */
export { type CodebookUse, codebookUse, useOfCounts } from "./codebook.ts";
export type { Features } from "./features.ts";
export { frechetDistance } from "./frechet.ts";
export { kernelDistance } from "./kid.ts";
export { meanPsnr, psnr } from "./psnr.ts";
export { meanSsim, ssim } from "./ssim.ts";
