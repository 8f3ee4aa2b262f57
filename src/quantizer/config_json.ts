import { QUANTIZER_KINDS, type QuantizerConfig, type QuantizerNorm } from "./config.ts";

/** The most scales that a file may ask for: far beyond the ten of the published ones. */
const MAX_SCALES = 64;

/**
 * The `quantizer` part of a tokenizer's config.json, in the official code's field names; of another kind
 * than CODA's with a `kind`, and in VAR's names what that one has beside.
 */
export function quantizerConfigToJson(config: QuantizerConfig): Record<string, unknown> {
  const shared = {
    codebook_size: config.codebookSize,
    hidden_dim: config.channels,
    patch_size_list: [...config.patchSizes],
    beta: config.beta,
  };
  switch (config.kind) {
    case "nearest":
      return { kind: config.kind, ...shared };
    case "multiscale": {
      const { kind, quantResi, shareQuantResi } = config;
      return { kind, ...shared, quant_resi: quantResi, share_quant_resi: shareQuantResi };
    }
    default:
      return { ...shared, attn_dim: config.attentionDim, attn_norm_type: config.norm };
  }
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
  const fields = new Fields(json, file);
  const { kind = "coda" } = json;
  const shared = {
    codebookSize: fields.count("codebook_size"),
    channels: fields.count("hidden_dim"),
    patchSizes: fields.pyramid("patch_size_list"),
    beta: fields.number("beta", Infinity),
  };
  switch (kind) {
    case "coda":
      return {
        ...shared,
        attentionDim: json.attn_dim === null ? shared.channels : fields.count("attn_dim"),
        norm: normOf(json.attn_norm_type) ??
          fields.fail("attn_norm_type", '"none", "layer" or "rms"'),
      };
    case "nearest":
      if (shared.patchSizes.length > 1) fields.fail("patch_size_list", "one whole number");
      return { kind, ...shared };
    case "multiscale":
      return {
        kind,
        ...shared,
        quantResi: fields.number("quant_resi", 1),
        shareQuantResi: fields.scales("share_quant_resi"),
      };
    default:
      return fields.fail("kind", `one of ${QUANTIZER_KINDS.join(", ")}`);
  }
}

/** The fields of the JSON, each checked when it is read. */
class Fields {
  #json: Readonly<Record<string, unknown>>;
  #file: string;

  constructor(json: Readonly<Record<string, unknown>>, file: string) {
    this.#json = json;
    this.#file = file;
  }

  fail(name: string, expected: string): never {
    const found = JSON.stringify(this.#json[name]) ?? "missing";
    throw new TypeError(`${this.#file}: quantizer.${name} is ${found}, expected ${expected}`);
  }

  count(name: string): number {
    const value = this.#json[name];
    return isWhole(value, 1) ? value : this.fail(name, "a whole number from 1 up");
  }

  scales(name: string): number {
    const value = this.#json[name];
    return isWhole(value, 0) && value <= MAX_SCALES
      ? value
      : this.fail(name, `a whole number from 0 to ${MAX_SCALES}`);
  }

  pyramid(name: string): readonly number[] {
    const list = this.#json[name];
    const isList = Array.isArray(list) && list.length > 0 && list.length <= MAX_SCALES;
    return isList && list.every((value) => isWhole(value, 1) && value <= list[list.length - 1])
      ? list
      : this.fail(
        name,
        `a list of 1 to ${MAX_SCALES} whole numbers from 1 up, none larger than the last`,
      );
  }

  number(name: string, most: number): number {
    const value = this.#json[name];
    const isIn = typeof value === "number" && value >= 0 && value <= most;
    return isIn
      ? value
      : this.fail(name, `a number from 0 ${most < Infinity ? `to ${most}` : "up"}`);
  }
}

function isWhole(value: unknown, least: number): value is number {
  return Number.isSafeInteger(value) && Number(value) >= least;
}

function normOf(value: unknown): QuantizerNorm | undefined {
  if (value === null || value === "none") return "none";
  if (value === "layer" || value === "layer_norm") return "layer";
  if (value === "rms" || value === "rms_norm") return "rms";
  return undefined;
}
