import { MAX_DEPTH, type VaeConfig, type VaeShape } from "./config.ts";
import { knownScaling, unknownScaling } from "./scale.ts";

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
  /** What the file itself calls a tensor, where that is not its name in LDM layout. */
  nameInFile?(name: string): string;
}

/**
 * The configuration that the weights alone give: {@link inferVaeShape}, and scale and shift of the
 * first published family that has this shape.
 *
 * @throws {TypeError} where the file is no autoencoder, or of no published family's shape.
 */
export function inferVaeConfig(weights: ShapeSource): VaeConfig {
  const shape = inferVaeShape(weights);
  const scaling = knownScaling(shape, {});
  if (scaling) return { ...shape, ...scaling };
  throw unknownScaling(shape, weights.file);
}

/**
 * What the weights alone say of an autoencoder's shape. Group norms keep their count of groups to
 * themselves, so it is the 32 of every published family.
 *
 * @param weights Names and shapes in LDM layout.
 * @throws {TypeError} where a tensor is missing without which nothing can be said.
 */
export function inferVaeShape(weights: ShapeSource): VaeShape {
  const shape = (name: string) => {
    const found = weights.has(name) ? weights.info(name).shape : undefined;
    if (found?.length === 4) return found;
    const problem = found
      ? `has shape [${found.join(", ")}], expected a convolution's`
      : "is missing";
    throw new TypeError(
      `${weights.file}: tensor ${weights.nameInFile?.(name) ?? name} ${problem}: ` +
        "the file is no autoencoder of this kind, or not the whole of one",
    );
  };
  const count = (name: (i: number) => string) => {
    let i = 0;
    while (i < MAX_DEPTH && weights.has(name(i))) i++;
    return i;
  };
  const levels = count((i) => `encoder.down.${i}.block.0.conv1.weight`);
  const level = (i: number) => shape(`encoder.down.${i}.block.0.conv1.weight`)[0];
  const latentChannels = shape("decoder.conv_in.weight")[1];
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
  };
}
