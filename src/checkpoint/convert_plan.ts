import { quantizerConfigToJson } from "../quantizer/mod.ts";
import { vaeConfigToJson, type VaeShape } from "../vae/mod.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Config } from "./config.ts";
import type { ConvertOptions, WrittenLayout } from "./convert.ts";
import { isFloat, isInteger, type StoredDtype } from "./dtype.ts";
import { CheckpointError } from "./errors.ts";
import { fusedWeight } from "./fuse.ts";
import { translate } from "./key_names.ts";
import { quantizerOf, type QuantizerSource } from "./quantizer_of.ts";
import type { TensorToMake } from "./safetensors_write.ts";
import type { TensorFile } from "./source.ts";
import {
  adaptedConvs,
  type DescribedVae,
  describeVae,
  expectWhole,
  LORA_TENSOR,
} from "./vae_of.ts";

/** What a conversion writes. */
export interface ConversionPlan {
  /** What it is. */
  readonly kind: "tokenizer" | "autoencoder" | "quantizer" | "tensors";
  /** How the autoencoder's tensors are named, where there is one. */
  readonly layout: WrittenLayout | undefined;
  /** The config.json, where there is something to say. */
  readonly config: Config | undefined;
  /** The tensors. */
  readonly tensors: readonly TensorToMake[];
  /** How many adapters are written into their convolutions. */
  readonly fused: number;
  /** The family whose scale was taken without a sign that it is this one and not another of its shape. */
  readonly guessedFamily?: string;
}

/**
 * What is to be written of a checkpoint.
 *
 * @throws {CheckpointError} where a model is not whole, or there is none whose names or adapters could
 * be changed.
 */
export function planConversion(checkpoint: Checkpoint, options: ConvertOptions): ConversionPlan {
  const { path, vae, quantizer, files } = checkpoint;
  if (vae === undefined) {
    if (options.layout !== undefined || options.fuseLora) {
      throw new CheckpointError(
        path,
        "holds no autoencoder whose layout could be changed or adapters fused; leave out " +
          `--layout and --fuse-lora, or see what it holds with coda inspect ${path}`,
      );
    }
    const kind = quantizer === undefined ? "tensors" : "quantizer";
    const sources = quantizer === undefined ? files : [quantizer.weights];
    const tensors = sources.flatMap((source) => copies(source, options));
    return { kind, layout: undefined, config: undefined, tensors, fused: 0 };
  }
  const described = describeVae(checkpoint, options);
  if (quantizer === undefined) {
    const config = autoencoderConfig(described);
    return { kind: "autoencoder", config, ...vaePlan(described, options) };
  }
  const codes = quantizerOf(checkpoint, described.shape, options);
  const own = vaePlan(described, options, "vae.");
  return {
    ...own,
    kind: "tokenizer",
    config: tokenizerConfig(described, codes),
    tensors: [...own.tensors, ...copies(codes.weights, options, "quantizer.")],
  };
}

/** A tokenizer's config.json. */
function tokenizerConfig({ shape, scaling }: DescribedVae, { config }: QuantizerSource): Config {
  return {
    vae: vaeConfigToJson({ ...shape, ...scaling }),
    quantizer: quantizerConfigToJson(config),
  };
}

/** An autoencoder's config.json, with all that diffusers needs to build it. */
function autoencoderConfig({ shape, scaling }: DescribedVae): Config {
  const { encoder_attention_levels: levels, ...json } = vaeConfigToJson({ ...shape, ...scaling });
  const hasAttention = (i: number) => (levels as number[]).includes(i);
  return {
    ...json,
    act_fn: "silu",
    down_block_types: shape.channels.map((_, i) =>
      hasAttention(i) ? "AttnDownEncoderBlock2D" : "DownEncoderBlock2D"
    ),
    up_block_types: shape.channels.map(() => "UpDecoderBlock2D"),
  };
}

/** A file's tensors as they are. */
function copies(source: TensorFile, options: ConvertOptions, prefix = ""): TensorToMake[] {
  return source.names.map((name) => ({
    name: prefix + name,
    shape: source.info(name).shape,
    dtype: dtypeOf(source, name, options),
    make: async () => (await source.tensor(name)).data,
  }));
}

/** An autoencoder's tensors in the layout asked for, else in their own. */
function vaePlan(
  { weights, shape, layout: from, scaledBy, guess }: DescribedVae,
  options: ConvertOptions,
  prefix = "",
): Omit<ConversionPlan, "kind" | "config"> {
  const layout = options.layout ?? (from === "ldm" ? "ldm" : "diffusers");
  const adapted = adaptedConvs(weights);
  expectWhole(weights, shape);
  const isWritten = (name: string) => !options.fuseLora || !LORA_TENSOR.test(name);
  const tensors = weights.names.filter(isWritten).map((name) => {
    const conv = name.replace(/\.weight$/, "");
    const isFused = options.fuseLora && adapted.has(conv);
    return {
      ...placed(weights, name, layout, shape),
      dtype: dtypeOf(weights, name, options),
      make: isFused
        ? () => fusedWeight(weights, conv)
        : async () => (await weights.tensor(name)).data,
    };
  }).map((tensor) => ({ ...tensor, name: prefix + tensor.name }));
  const isGuess = scaledBy === "family" && guess.by === "nothing";
  return {
    layout,
    tensors,
    fused: options.fuseLora ? adapted.size : 0,
    guessedFamily: isGuess ? guess.families[0].name : undefined,
  };
}

/** A tensor's name and shape in a layout. */
function placed(
  weights: TensorFile,
  name: string,
  layout: WrittenLayout,
  { channels }: VaeShape,
): { name: string; shape: readonly number[] } {
  const { shape } = weights.info(name);
  const found = translate(name, "ldm", layout, channels.length)!; // the view has no other names
  const isLinear = found.isLinear && layout === "diffusers";
  return { name: found.name, shape: isLinear ? shape.slice(0, 2) : shape };
}

/** How a tensor is stored: floats as asked for, else as they are. */
function dtypeOf(source: TensorFile, name: string, options: ConvertOptions): StoredDtype {
  const { dtype } = source.info(name);
  if (isFloat(dtype)) return options.dtype ?? (dtype === "f64" ? "f32" : dtype);
  if (isInteger(dtype)) return dtype;
  throw new CheckpointError(
    source.file,
    `is stored as ${dtype.toUpperCase()}, which is not read; convert it to F32 where it was made`,
    { tensor: name },
  );
}
