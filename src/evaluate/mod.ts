/**
 * Measuring a tokenizer on a set of images, by protocols that have names.
 *
 * @module
 */
export { evaluate, type EvaluateOptions, type EvaluationReport } from "./evaluate.ts";
export { type FeatureNetwork, type JudgeOptions, type Judges, loadJudges } from "./judges.ts";
export { PROTOCOL_NAMES, type ProtocolName } from "./protocol_names.ts";
export type { PrefixQuality, Quality, SetCodebookUse, SetMeasures } from "./tally.ts";
export {
  type ScaleVerification,
  type TokenDifference,
  type Verification,
  verifyTokens,
} from "./verify.ts";
