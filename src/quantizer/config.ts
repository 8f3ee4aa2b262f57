/** The normalisation of queries and keys. */
export type QuantizerNorm = "none" | "layer" | "rms";

/** Which quantizer: CODA's, or one of those that it is compared with (SPEC section 9). */
export type QuantizerKind = "coda" | "nearest" | "multiscale";

/** The kinds, for a choice. */
export const QUANTIZER_KINDS: readonly QuantizerKind[] = ["coda", "nearest", "multiscale"];

/** What every quantizer is built from. */
export interface CodebookConfig {
  /** V, how many codes there are. */
  codebookSize: number;
  /** c, the channels of the latent. */
  channels: number;
  /** The side of each scale's grid, coarse to fine, for the square latent whose side is the last. */
  patchSizes: readonly number[];
  /** β, the weight of the commitment loss. */
  beta: number;
}

/** What a CODA quantizer is built from (SPEC section 3). */
export interface CodaQuantizerConfig extends CodebookConfig {
  /** "coda"; a configuration that says none is of this kind, as the official ones are. */
  kind?: "coda";
  /** d, the width of queries and keys. */
  attentionDim: number;
  /** The normalisation of queries and keys. */
  norm: QuantizerNorm;
}

/** What a {@link NearestQuantizer} is built from; it has one scale. */
export interface NearestQuantizerConfig extends CodebookConfig {
  /** Which quantizer. */
  kind: "nearest";
}

/** What a {@link MultiScaleQuantizer} is built from. */
export interface MultiScaleQuantizerConfig extends CodebookConfig {
  /** Which quantizer. */
  kind: "multiscale";
  /** ρ in φ(h) = (1 − ρ)·h + ρ·conv(h); VAR's `quant_resi`, 0.5. */
  quantResi: number;
  /** How many φ the scales share; 0 for one each. VAR's `share_quant_resi`, 4. */
  shareQuantResi: number;
}

/** What a quantizer is built from. */
export type QuantizerConfig =
  | CodaQuantizerConfig
  | NearestQuantizerConfig
  | MultiScaleQuantizerConfig;
