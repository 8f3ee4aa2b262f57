/** The normalisation of queries and keys. */
export type QuantizerNorm = "none" | "layer" | "rms";

/** What a CODA quantizer is built from (SPEC section 3). */
export interface QuantizerConfig {
  /** V, how many codes there are. */
  codebookSize: number;
  /** c, the channels of the latent. */
  channels: number;
  /** d, the width of queries and keys. */
  attentionDim: number;
  /** The side of each scale's grid, coarse to fine, for the square latent whose side is the last. */
  patchSizes: readonly number[];
  /** The normalisation of queries and keys. */
  norm: QuantizerNorm;
  /** β, the weight of the commitment loss. */
  beta: number;
}

/** The `quantizer` part of a tokenizer's config.json, in the official code's field names. */
export function quantizerConfigToJson(config: QuantizerConfig): Record<string, unknown> {
  return {
    codebook_size: config.codebookSize,
    hidden_dim: config.channels,
    attn_dim: config.attentionDim,
    patch_size_list: [...config.patchSizes],
    attn_norm_type: config.norm,
    beta: config.beta,
  };
}

/**
 * Reads what {@link quantizerConfigToJson} writes; `attn_norm_type` may also be the official
 * `rms_norm`, `layer_norm` or null.
 *
 * @throws {TypeError} where a field is missing or of the wrong kind; `file` names the culprit.
 */
export function quantizerConfigFromJson(
  json: Readonly<Record<string, unknown>>,
  file: string,
): QuantizerConfig {
  const fail = (name: string, expected: string): never => {
    const found = JSON.stringify(json[name]) ?? "missing";
    throw new TypeError(`${file}: quantizer.${name} is ${found}, expected ${expected}`);
  };
  const isCount = (value: unknown): value is number => Number.isInteger(value) && Number(value) > 0;
  const count = (name: string) => {
    const value = json[name];
    return isCount(value) ? value : fail(name, "a whole number from 1 up");
  };
  const list = json.patch_size_list;
  const beta = json.beta;
  return {
    codebookSize: count("codebook_size"),
    channels: count("hidden_dim"),
    attentionDim: json.attn_dim === null ? count("hidden_dim") : count("attn_dim"),
    patchSizes: Array.isArray(list) && list.length > 0 && list.every(isCount)
      ? list
      : fail("patch_size_list", "a list of whole numbers from 1 up"),
    norm: normOf(json.attn_norm_type) ?? fail("attn_norm_type", '"none", "layer" or "rms"'),
    beta: typeof beta === "number" && beta >= 0 ? beta : fail("beta", "a number from 0 up"),
  };
}

function normOf(value: unknown): QuantizerNorm | undefined {
  if (value === null || value === "none") return "none";
  if (value === "layer" || value === "layer_norm") return "layer";
  if (value === "rms" || value === "rms_norm") return "rms";
  return undefined;
}
