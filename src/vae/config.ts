/** The shape of an autoencoder: SPEC section 2's table, one column. */
export interface VaeConfig {
  /** Channels of the image, 3. */
  inChannels: number;
  /** Channels of each level, finest first. */
  channels: readonly number[];
  /** Residual blocks of an encoder level; a decoder level has one more. */
  blocksPerLevel: number;
  /** Channels of the latent, z. */
  latentChannels: number;
  /** Groups of every group norm. */
  normGroups: number;
  /** Whether the middle has a self-attention. */
  midAttention: boolean;
  /** The encoder levels in which an attention follows each residual block (KL-16: the last). */
  encoderAttentionLevels: readonly number[];
  /** Whether a 1×1 convolution follows the encoder. */
  quantConv: boolean;
  /** Whether a 1×1 convolution precedes the decoder. */
  postQuantConv: boolean;
  /** The latent that the quantizer sees is `(z - shift) · scale`. */
  scale: number;
  /** See `scale`. */
  shift: number;
}

/** How many pixels per side one latent position stands for: 2 to the number of downsamplings. */
export function reductionOf(config: VaeConfig): number {
  return 2 ** (config.channels.length - 1);
}

/** The names and shapes of a weight file's tensors, as far as a configuration is read from them. */
export interface ShapeSource {
  /** A name for messages. */
  readonly file: string;
  /** The tensors' names. */
  readonly names: readonly string[];
  /** Whether there is a tensor of this name. */
  has(name: string): boolean;
  /** A tensor's shape. */
  info(name: string): { readonly shape: readonly number[] };
}

/**
 * The configuration that a `config.json` with diffusers' field names gives, completed from the
 * weights where the field is missing: `block_out_channels`, `layers_per_block`, `latent_channels`,
 * `norm_num_groups`, `mid_block_add_attention`, `use_quant_conv`, `use_post_quant_conv`,
 * `scaling_factor`, `shift_factor`, and our `encoder_attention_levels`.
 *
 * @param file The name of config.json, for messages.
 * @throws {TypeError} where a field has the wrong kind, neither file says it, or they differ.
 */
export function vaeConfig(
  json: Readonly<Record<string, unknown>>,
  weights: ShapeSource,
  file = `config.json of ${weights.file}`,
): VaeConfig {
  const inferred = inferVaeConfig(weights);
  const field = reader(json, file);
  const config = {
    inChannels: field.count("in_channels", inferred.inChannels),
    channels: field.counts("block_out_channels", inferred.channels),
    blocksPerLevel: field.count("layers_per_block", inferred.blocksPerLevel),
    latentChannels: field.count("latent_channels", inferred.latentChannels),
    normGroups: field.count("norm_num_groups", inferred.normGroups),
    midAttention: field.flag("mid_block_add_attention", inferred.midAttention),
    encoderAttentionLevels: field.indices(
      "encoder_attention_levels",
      inferred.encoderAttentionLevels,
    ),
    quantConv: field.flag("use_quant_conv", inferred.quantConv),
    postQuantConv: field.flag("use_post_quant_conv", inferred.postQuantConv),
    scale: field.number("scaling_factor", inferred.scale),
    shift: field.number("shift_factor", inferred.shift),
  };
  const problem = ownProblem(config) ?? difference(config, inferred, weights.file);
  if (problem !== undefined) throw new TypeError(`${file}: ${problem}`);
  return config;
}

/** What makes a configuration impossible by itself, or undefined. */
function ownProblem({ channels, normGroups, scale }: VaeConfig): string | undefined {
  const odd = channels.find((count) => count % normGroups !== 0);
  if (odd !== undefined) {
    return `"norm_num_groups" is ${normGroups}, expected a divisor of every level's channels, ` +
      `${odd} among them`;
  }
  return scale === 0 ? '"scaling_factor" is 0, expected another number' : undefined;
}

/**
 * Where the weights hold another network than the configuration, or undefined. What they lack is told
 * when they are loaded; what they hold beyond it would be left out without a word.
 */
function difference(config: VaeConfig, found: VaeConfig, file: string): string | undefined {
  const other = (name: string, value: unknown, weights: unknown) =>
    `"${name}" is ${JSON.stringify(value)}, but ${file} has ${JSON.stringify(weights)}: ` +
    "put the two files of one model together";
  const { channels, blocksPerLevel } = config;
  if (found.channels.some((count, i) => count !== channels[i])) {
    return other("block_out_channels", channels, found.channels);
  }
  if (found.blocksPerLevel > blocksPerLevel) {
    return other("layers_per_block", blocksPerLevel, found.blocksPerLevel);
  }
  if (found.latentChannels !== config.latentChannels) {
    return other("latent_channels", config.latentChannels, found.latentChannels);
  }
  if (found.inChannels !== config.inChannels) {
    return other("in_channels", config.inChannels, found.inChannels);
  }
  return undefined;
}

/** The `config.json` of a configuration, in diffusers' field names. */
export function vaeConfigToJson(config: VaeConfig): Record<string, unknown> {
  return {
    _class_name: "AutoencoderKL",
    in_channels: config.inChannels,
    out_channels: config.inChannels,
    block_out_channels: [...config.channels],
    layers_per_block: config.blocksPerLevel,
    latent_channels: config.latentChannels,
    norm_num_groups: config.normGroups,
    mid_block_add_attention: config.midAttention,
    encoder_attention_levels: [...config.encoderAttentionLevels],
    use_quant_conv: config.quantConv,
    use_post_quant_conv: config.postQuantConv,
    scaling_factor: config.scale,
    shift_factor: config.shift,
  };
}

/**
 * What the weights alone say. Group norms keep their count of groups to themselves, so it is the 32 of
 * every published family; scale and shift are KL-16's where the levels are, else 1 and 0.
 *
 * @throws {TypeError} where the file is no autoencoder in LDM layout.
 */
export function inferVaeConfig(weights: ShapeSource): VaeConfig {
  const shape = (name: string) => {
    if (weights.has(name)) return weights.info(name).shape;
    throw new TypeError(
      `${weights.file}: tensor ${name} is missing: expected an autoencoder in LDM key layout`,
    );
  };
  const count = (name: (i: number) => string) => {
    let i = 0;
    while (weights.has(name(i))) i++;
    return i;
  };
  const levels = count((i) => `encoder.down.${i}.block.0.conv1.weight`);
  const level = (i: number) => shape(`encoder.down.${i}.block.0.conv1.weight`)[0];
  const latentChannels = shape("decoder.conv_in.weight")[1];
  const isKl16 = levels === 5 && latentChannels === 16;
  return {
    inChannels: shape("encoder.conv_in.weight")[1],
    channels: Array.from({ length: Math.max(levels, 1) }, (_, i) => level(i)),
    blocksPerLevel: count((j) => `encoder.down.0.block.${j}.conv1.weight`),
    latentChannels,
    normGroups: 32,
    midAttention: weights.has("encoder.mid.attn_1.q.weight"),
    encoderAttentionLevels: [...Array(levels).keys()].filter((i) =>
      weights.has(`encoder.down.${i}.attn.0.q.weight`)
    ),
    quantConv: weights.has("quant_conv.weight"),
    postQuantConv: weights.has("post_quant_conv.weight"),
    scale: isKl16 ? 0.2325 : 1,
    shift: 0,
  };
}

function reader(json: Readonly<Record<string, unknown>>, file: string) {
  const take = <T>(
    name: string,
    expected: string,
    is: (value: unknown) => value is T,
    other: T,
  ) => {
    const value = json[name] ?? other;
    if (is(value)) return value;
    throw new TypeError(`${file}: "${name}" is ${JSON.stringify(value)}, expected ${expected}`);
  };
  const from = (least: number) => (value: unknown): value is number =>
    Number.isInteger(value) && Number(value) >= least;
  const list = (least: number) => (value: unknown): value is readonly number[] =>
    Array.isArray(value) && value.every(from(least)) && value.length >= least;
  return {
    count: (name: string, other: number) => take(name, "a whole number from 1 up", from(1), other),
    counts: (name: string, other: readonly number[]) =>
      take(name, "a list of whole numbers from 1 up", list(1), other),
    indices: (name: string, other: readonly number[]) =>
      take(name, "a list of whole numbers", list(0), other),
    flag: (name: string, other: boolean) =>
      take(name, "true or false", (value) => typeof value === "boolean", other),
    number: (name: string, other: number) =>
      take(name, "a number", (value): value is number => Number.isFinite(value), other),
  };
}
