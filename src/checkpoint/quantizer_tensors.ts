import type {
  CodaQuantizerConfig,
  QuantizerConfig,
  QuantizerKind,
  QuantizerNorm,
} from "../quantizer/mod.ts";
import { phiNames } from "../quantizer/phi.ts";
import type { QuantizerPart } from "./parts.ts";

/** What a quantizer's weights say of how it is built. */
export interface QuantizerBuild {
  /** Which quantizer. */
  readonly kind: QuantizerKind;
  /** The codebook's tensor. */
  readonly codebook: string;
  /** Which normalisation of queries and keys CODA's has. */
  readonly norm: QuantizerNorm | undefined;
  /** How many φ the scales of a multi-scale one share; 0 for one each. */
  readonly shareQuantResi: number | undefined;
  /** All tensors that one built so has. */
  readonly tensors: readonly string[];
}

type Weights = QuantizerPart["weights"];

/** How the quantizer is built whose weights these are. */
export function buildIn(weights: Weights): QuantizerBuild {
  const none = { norm: undefined, shareQuantResi: undefined };
  if (weights.has("codebooks.weight")) {
    const norm = normIn(weights);
    return {
      ...none,
      kind: "coda",
      codebook: "codebooks.weight",
      norm,
      tensors: codaTensors(norm),
    };
  }
  const codebook = "embedding.weight";
  if (!weights.names.some((name) => name.startsWith("quant_resi."))) {
    return { ...none, kind: "nearest", codebook, tensors: [codebook] };
  }
  const { shareQuantResi, count } = sharingIn(weights);
  const patchSizes = Array.from({ length: count }, () => 1); // as many as there are φ where each has one
  const tensors = [codebook, ...phiTensors({ patchSizes, shareQuantResi })];
  return { ...none, kind: "multiscale", codebook, shareQuantResi, tensors };
}

/** All tensors of the quantizer of this configuration. */
export function tensorsOf(config: QuantizerConfig): readonly string[] {
  switch (config.kind) {
    case "nearest":
      return ["embedding.weight"];
    case "multiscale":
      return ["embedding.weight", ...phiTensors(config)];
    default:
      return codaTensors(config.norm);
  }
}

/** Whether the configuration is of CODA's own quantizer. */
export function isCoda(config: QuantizerConfig): config is CodaQuantizerConfig {
  return config.kind === undefined || config.kind === "coda";
}

function codaTensors(norm: QuantizerNorm): readonly string[] {
  const maps = ["to_q", "to_k", "to_v"].flatMap((map) => [`${map}.weight`, `${map}.bias`]);
  const parts = { none: [], rms: ["weight"], layer: ["weight", "bias"] }[norm];
  const norms = ["norm_q", "norm_k"].flatMap((name) => parts.map((part) => `${name}.${part}`));
  return ["codebooks.weight", ...[...maps, ...norms].map((name) => `attn.${name}`)];
}

function phiTensors(config: Parameters<typeof phiNames>[0]): string[] {
  return phiNames(config).flatMap((name) => [`${name}.weight`, `${name}.bias`]);
}

/** The normalisation whose parameters there are: RMSNorm has a weight, LayerNorm a bias too. */
function normIn(weights: Weights): QuantizerNorm {
  if (!weights.has("attn.norm_q.weight")) return "none";
  return weights.has("attn.norm_q.bias") ? "layer" : "rms";
}

/** How the φ are shared that there are, and how many they are: a hundred at most, whatever a name says. */
function sharingIn({ names }: Weights): { shareQuantResi: number; count: number } {
  const countOf = (pattern: RegExp) =>
    Math.max(0, ...names.map((name) => Number(pattern.exec(name)?.[1] ?? -1) + 1));
  const partly = countOf(/^quant_resi\.qresi_ls\.(\d{1,2})\./);
  if (partly > 0) return { shareQuantResi: partly, count: partly };
  const each = countOf(/^quant_resi\.(\d{1,2})\./);
  return each > 0 ? { shareQuantResi: 0, count: each } : { shareQuantResi: 1, count: 1 };
}
