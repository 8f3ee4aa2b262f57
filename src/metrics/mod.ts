/**
 * How good a tokenizer is: PSNR, SSIM, codebook use.
 *
 * @module
 */
export { type CodebookUse, codebookUse, useOfCounts } from "./codebook.ts";
export { meanPsnr, psnr } from "./psnr.ts";
export { meanSsim, ssim } from "./ssim.ts";
