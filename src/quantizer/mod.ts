/**
 * Discretization: CODA's attention quantizer over a pyramid of scales, and the quantizers that it is
 * compared with.
 *
 * @module
 */
export { CodeCounts } from "./code_counts.ts";
export { CodaEncoder, type CodaEncoderParts } from "./coda_encoder.ts";
export { CodaQuantizer } from "./coda_quantizer.ts";
export {
  type CodaQuantizerConfig,
  type CodebookConfig,
  type MultiScaleQuantizerConfig,
  type NearestQuantizerConfig,
  QUANTIZER_KINDS,
  type QuantizerConfig,
  type QuantizerKind,
  type QuantizerNorm,
} from "./config.ts";
export { quantizerConfigFromJson, quantizerConfigToJson } from "./config_json.ts";
export { entropyLoss } from "./entropy_loss.ts";
export { type Grid, gridsFor, PATCH_SIZES_F16, PATCH_SIZES_F8, tokenCount } from "./grids.ts";
export { loadQuantizer, makeQuantizer } from "./make.ts";
export { MultiScaleQuantizer } from "./multi_scale_quantizer.ts";
export { NearestQuantizer } from "./nearest_quantizer.ts";
export type { EncodedScale, LatentEncoder, Quantized, Quantizer } from "./quantizer.ts";
