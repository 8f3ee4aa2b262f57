import { type Conv2d, GroupNorm, type Parameters } from "../nn/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import { type BlockContext, makeConv, ResnetBlock, Upsample } from "./blocks.ts";
import type { VaeConfig } from "./config.ts";
import { middle } from "./encoder.ts";
import { type Layer, Sequence } from "./sequence.ts";
import type { FeatureMap, Stages } from "./stages.ts";

/** The decoder: latent to image, behind the 1×1 `post_quant_conv`. */
export class Decoder implements Layer {
  #convIn: Conv2d;
  #body: Sequence;
  #normOut: GroupNorm;
  #convOut: Conv2d;

  /** Declares everything below `decoder.`. */
  constructor(context: BlockContext, parameters: Parameters, config: VaeConfig) {
    const { channels, latentChannels } = config;
    const last = channels[channels.length - 1];
    const coarseToFine = channels.map((_, i) => channels.length - 1 - i);
    this.#convIn = makeConv(context, parameters.at("conv_in"), latentChannels, last);
    this.#body = new Sequence([
      ...middle(context, parameters.at("mid"), config, last),
      ...coarseToFine.flatMap((i) => decoderLevel(context, parameters.at("up"), config, i)),
    ], context);
    this.#normOut = new GroupNorm(parameters.at("norm_out"), channels[0], context.groups);
    this.#convOut = makeConv(context, parameters.at("conv_out"), channels[0], config.inChannels, {
      dtype: "f32",
    });
  }

  /** [N, h, w, z] → [N, f·h, f·w, 3]. */
  forward(z: Tensor): Tensor {
    using scope = z.gpu.scope();
    const hidden = this.#body.forward(this.#convIn.forward(z));
    return scope.keep(
      this.#convOut.forward(hidden, { norm: this.#normOut.within({ silu: true }) }),
    );
  }

  /** The same as stages. */
  addTo(stages: Stages, map: FeatureMap): FeatureMap {
    const hidden = this.#body.addTo(stages, stages.conv(this.#convIn, map));
    return stages.conv(this.#convOut, hidden, { norm: this.#normOut });
  }
}

/**
 * What leads to a level, and its blocks. The doubled map between the upsampling and the first block is
 * the largest: the two are one layer, which keeps the map before it in its place.
 */
function decoderLevel(
  context: BlockContext,
  parameters: Parameters,
  { channels, blocksPerLevel }: VaeConfig,
  level: number,
): Layer[] {
  const coarser = channels[Math.min(level + 1, channels.length - 1)];
  const upsample = level + 1 < channels.length
    ? [new Upsample(context, parameters.at(`${level + 1}.upsample`), coarser)]
    : [];
  const [first, ...others] = Array.from({ length: blocksPerLevel + 1 }, (_, j) => {
    const input = j > 0 ? channels[level] : coarser;
    return new ResnetBlock(context, parameters.at(`${level}.block.${j}`), input, channels[level]);
  });
  return [new Sequence([...upsample, first]), ...others];
}
