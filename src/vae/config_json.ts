import { MAX_DEPTH, type VaeConfig, type VaeShape } from "./config.ts";
import type { VaeFamily } from "./families.ts";
import { inferVaeShape, type ShapeSource } from "./infer.ts";
import {
  isUnmeasured,
  knownScaling,
  type Scaling,
  unknownScaling,
  unmeasuredScaling,
} from "./scale.ts";

/** What is known of an autoencoder beside its config.json and its weights. */
export interface VaeHints {
  /** The scale, whatever config.json says. */
  readonly scale?: number;
  /** The shift, whatever config.json says. */
  readonly shift?: number;
  /** The families of its shape, the likeliest first; by default in the order of {@link VAE_FAMILIES}. */
  readonly families?: readonly VaeFamily[];
}

/**
 * The configuration that a `config.json` with diffusers' field names gives, completed from the
 * weights where the field is missing: {@link vaeShapeFrom}'s fields, `scaling_factor` and
 * `shift_factor`. What neither says, scale and shift, is that of the published family whose shape it
 * is.
 *
 * @param file The name of config.json, for messages.
 * @throws {TypeError} as {@link vaeShapeFrom}, and where nothing says the scale or it is not measured yet.
 */
export function vaeConfig(
  json: Readonly<Record<string, unknown>>,
  weights: ShapeSource,
  file = `config.json of ${weights.file}`,
  hints: VaeHints = {},
): VaeConfig {
  const shape = vaeShapeFrom(json, weights, file);
  const scaling = knownScaling(shape, toldScaling(json, file, hints), hints.families);
  if (scaling) return { ...shape, ...scaling };
  throw unknownScaling(shape, weights.file);
}

/**
 * The shape that a `config.json` gives, completed from the weights where the field is missing:
 * `block_out_channels`, `layers_per_block`, `latent_channels`, `norm_num_groups`,
 * `mid_block_add_attention`, `use_quant_conv`, `use_post_quant_conv`, `down_block_types`, and our
 * `encoder_attention_levels`.
 *
 * @param file The name of config.json, for messages.
 * @throws {TypeError} where a field has the wrong kind or asks for what is not built here, or where the
 * two files differ.
 */
export function vaeShapeFrom(
  json: Readonly<Record<string, unknown>>,
  weights: ShapeSource,
  file: string,
): VaeShape {
  const inferred = inferVaeShape(weights);
  expectBuilt(json, file, inferred.inChannels);
  const shape = completed(json, file, inferred);
  const problem = difference(shape, inferred, weights.file) ?? ownProblem(shape);
  if (problem !== undefined) throw new TypeError(`${file}: ${problem}`);
  return shape;
}

/**
 * The shape that a `config.json` gives by itself, for an autoencoder that has no weights yet: the fields
 * of {@link vaeShapeFrom}, with diffusers' defaults for all but `block_out_channels` and
 * `latent_channels`.
 *
 * @param file The name of config.json, for messages.
 * @throws {TypeError} where one of these is missing, a field has the wrong kind, or asks for what is not
 * built here.
 */
export function vaeShapeAlone(json: Readonly<Record<string, unknown>>, file: string): VaeShape {
  for (const name of ["block_out_channels", "latent_channels"]) {
    if (json[name] === undefined) throw new TypeError(`${file}: "${name}" is missing`);
  }
  const shape = completed(json, file, DIFFUSERS_DEFAULTS);
  expectBuilt(json, file, shape.inChannels);
  const problem = ownProblem(shape);
  if (problem !== undefined) throw new TypeError(`${file}: ${problem}`);
  return shape;
}

const DIFFUSERS_DEFAULTS: VaeShape = {
  inChannels: 3,
  channels: [],
  blocksPerLevel: 1,
  latentChannels: 4,
  normGroups: 32,
  midAttention: true,
  encoderAttentionLevels: [],
  quantConv: true,
  postQuantConv: true,
};

/** A config.json's fields, those of `others` where it has none. */
function completed(
  json: Readonly<Record<string, unknown>>,
  file: string,
  others: VaeShape,
): VaeShape {
  const field = reader(json, file);
  return {
    inChannels: field.count("in_channels", others.inChannels),
    channels: field.counts("block_out_channels", others.channels),
    blocksPerLevel: field.count("layers_per_block", others.blocksPerLevel, MAX_DEPTH),
    latentChannels: field.count("latent_channels", others.latentChannels),
    normGroups: field.count("norm_num_groups", others.normGroups),
    midAttention: field.flag("mid_block_add_attention", others.midAttention),
    encoderAttentionLevels: field.indices(
      "encoder_attention_levels",
      attentionBlocks(json) ?? others.encoderAttentionLevels,
    ),
    quantConv: field.flag("use_quant_conv", others.quantConv),
    postQuantConv: field.flag("use_post_quant_conv", others.postQuantConv),
  };
}

/**
 * What was said of scale and shift. A config.json with a scale and no shift means none.
 *
 * @throws {TypeError} where a field is no number, the scale is 0, or both are still to be measured.
 */
export function toldScaling(
  json: Readonly<Record<string, unknown>>,
  file: string,
  { scale, shift }: VaeHints,
): Partial<Scaling> {
  const field = reader(json, file);
  if (isUnmeasured(json) && scale === undefined) throw unmeasuredScaling(file);
  const own = isUnmeasured(json) ? undefined : field.optional("scaling_factor");
  const noShift = scale === undefined && own !== undefined ? 0 : undefined;
  const told = { scale: scale ?? own, shift: shift ?? field.optional("shift_factor") ?? noShift };
  if (told.scale === 0) throw new TypeError(`${file}: the scale is 0, expected another number`);
  return told;
}

/** Refuses what a config.json asks for that no autoencoder here has. */
function expectBuilt(
  json: Readonly<Record<string, unknown>>,
  file: string,
  inChannels: number,
): void {
  const expect = (name: string, holds: (value: unknown) => boolean, expected: string) => {
    const value = json[name] ?? undefined;
    if (value === undefined || holds(value)) return;
    throw new TypeError(`${file}: "${name}" is ${JSON.stringify(value)}, expected ${expected}`);
  };
  expect("_class_name", (name) => name === "AutoencoderKL", '"AutoencoderKL"; it is another model');
  expect("act_fn", (name) => name === "silu" || name === "swish", '"silu"');
  expect("out_channels", (count) => count === inChannels, `${inChannels}, as many as go in`);
  const areNames = (types: unknown) =>
    Array.isArray(types) && types.every((type) => typeof type === "string");
  expect("down_block_types", areNames, "a list of texts");
  expect("up_block_types", areNames, "a list of texts");
  expect(
    "up_block_types",
    (types) => !JSON.stringify(types).includes("Attn"),
    "no attention in the decoder's levels",
  );
  for (const name of ["latents_mean", "latents_std"]) {
    expect(name, () => false, "null: the latent has one scale and one shift for all channels");
  }
}

/** The encoder levels whose `down_block_types` have an attention. */
function attentionBlocks(json: Readonly<Record<string, unknown>>): readonly number[] | undefined {
  const types = json.down_block_types;
  if (!Array.isArray(types)) return undefined;
  return [...types.keys()].filter((i) => JSON.stringify(types[i]).includes("Attn"));
}

/** What makes a shape impossible by itself, or undefined. */
function ownProblem(
  { channels, normGroups, encoderAttentionLevels }: VaeShape,
): string | undefined {
  if (encoderAttentionLevels.some((level) => level >= channels.length)) {
    return `"encoder_attention_levels" is ${
      JSON.stringify(encoderAttentionLevels)
    }, expected levels ` +
      `from 0 to ${channels.length - 1}`;
  }
  const odd = channels.find((count) => count % normGroups !== 0);
  if (odd === undefined) return undefined;
  return `"norm_num_groups" is ${normGroups}, expected a divisor of every level's channels, ` +
    `${odd} among them: say it in a config.json beside the weights`;
}

/** A field that the weights tell too, and where the two cannot both be right. */
interface Clash {
  readonly field: string;
  readonly key: keyof VaeShape;
  readonly clashes: (config: VaeShape, found: VaeShape) => boolean;
}

/**
 * Where the weights hold another network than the configuration. What they lack is told when they are
 * loaded; what they hold beyond it would be left out without a word.
 */
const CLASHES: readonly Clash[] = [
  {
    field: "block_out_channels",
    key: "channels",
    clashes: (config, found) => found.channels.some((count, i) => count !== config.channels[i]),
  },
  {
    field: "layers_per_block",
    key: "blocksPerLevel",
    clashes: (config, found) => found.blocksPerLevel > config.blocksPerLevel,
  },
  {
    field: "latent_channels",
    key: "latentChannels",
    clashes: (config, found) => found.latentChannels !== config.latentChannels,
  },
  {
    field: "in_channels",
    key: "inChannels",
    clashes: (config, found) => found.inChannels !== config.inChannels,
  },
  {
    field: "mid_block_add_attention",
    key: "midAttention",
    clashes: (config, found) => found.midAttention && !config.midAttention,
  },
  {
    field: "encoder_attention_levels",
    key: "encoderAttentionLevels",
    clashes: (config, found) =>
      found.encoderAttentionLevels.some((i) => !config.encoderAttentionLevels.includes(i)),
  },
  {
    field: "use_quant_conv",
    key: "quantConv",
    clashes: (config, found) => found.quantConv && !config.quantConv,
  },
  {
    field: "use_post_quant_conv",
    key: "postQuantConv",
    clashes: (config, found) => found.postQuantConv && !config.postQuantConv,
  },
];

/** Where config.json and the weights cannot both be right, or undefined. */
function difference(config: VaeShape, found: VaeShape, file: string): string | undefined {
  const clash = CLASHES.find(({ clashes }) => clashes(config, found));
  if (clash === undefined) return undefined;
  const { field, key } = clash;
  return `"${field}" is ${JSON.stringify(config[key])}, but ${file} has ` +
    `${JSON.stringify(found[key])}: put the two files of one model together`;
}

/** The `config.json` of a configuration, in diffusers' field names; without the scale where it is not known. */
export function vaeConfigToJson(config: VaeShape & Partial<Scaling>): Record<string, unknown> {
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
  const from = (least: number, most = Infinity) => (value: unknown): value is number =>
    Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
  const list = (least: number) => (value: unknown): value is readonly number[] =>
    Array.isArray(value) && value.length >= least && value.length <= MAX_DEPTH &&
    value.every(from(least));
  return {
    count: (name: string, other: number, most?: number) =>
      take(name, `a whole number from 1 ${most ? `to ${most}` : "up"}`, from(1, most), other),
    counts: (name: string, other: readonly number[]) =>
      take(name, "a list of whole numbers from 1 up", list(1), other),
    indices: (name: string, other: readonly number[]) =>
      take(name, "a list of whole numbers", list(0), other),
    flag: (name: string, other: boolean) =>
      take(name, "true or false", (value) => typeof value === "boolean", other),
    optional: (name: string) =>
      (json[name] ?? undefined) === undefined
        ? undefined
        : take(name, "a number", (value): value is number => Number.isFinite(value), 0),
  };
}
