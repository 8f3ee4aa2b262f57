/**
 * Discretization: CODA's attention quantizer over a pyramid of scales.
 *
 * @module
 */
export { CodeCounts } from "./code_counts.ts";
export { CodaQuantizer, type EncodedScale, type Quantized } from "./coda_quantizer.ts";
export {
  type QuantizerConfig,
  quantizerConfigFromJson,
  quantizerConfigToJson,
  type QuantizerNorm,
} from "./config.ts";
export { entropyLoss } from "./entropy_loss.ts";
export { type Grid, gridsFor, PATCH_SIZES_F16, PATCH_SIZES_F8, tokenCount } from "./grids.ts";
