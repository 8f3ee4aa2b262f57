/**
 * How good a tokenizer is: PSNR, codebook use.
 *
 * @module
 */
export { type CodebookUse, codebookUse, useOfCounts } from "./codebook.ts";
export { meanPsnr, psnr } from "./psnr.ts";
