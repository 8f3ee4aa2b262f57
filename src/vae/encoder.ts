import { type Conv2d, GroupNorm, type Parameters } from "../nn/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import { AttentionBlock } from "./attention_block.ts";
import { type BlockContext, Downsample, makeConv, ResnetBlock } from "./blocks.ts";
import type { VaeConfig } from "./config.ts";
import { convLayer, type Layer, Sequence } from "./sequence.ts";
import type { FeatureMap, Stages } from "./stages.ts";

/** The encoder: image to the moments of the latent, before the 1×1 `quant_conv`. */
export class Encoder implements Layer {
  #body: Sequence;
  #normOut: GroupNorm;
  #convOut: Conv2d;

  /** Declares everything below `encoder.`. */
  constructor(context: BlockContext, parameters: Parameters, config: VaeConfig) {
    const { channels, latentChannels } = config;
    const last = channels[channels.length - 1];
    const convIn = makeConv(context, parameters.at("conv_in"), config.inChannels, channels[0]);
    // A level is one layer: the maps between its blocks would be there all through the decoder.
    const levels = channels.map((_, i) =>
      new Sequence([
        ...(i === 0 ? [convLayer(convIn)] : []),
        ...encoderLevel(context, parameters.at(`down.${i}`), config, i),
      ])
    );
    const mid = middle(context, parameters.at("mid"), config, last);
    this.#body = new Sequence([...levels, ...mid], context);
    this.#normOut = new GroupNorm(parameters.at("norm_out"), last, context.groups);
    this.#convOut = makeConv(context, parameters.at("conv_out"), last, 2 * latentChannels, {
      dtype: "f32",
    });
  }

  /** [N, H, W, 3] in [-1, 1] → [N, H/f, W/f, 2z]. */
  forward(x: Tensor): Tensor {
    using scope = x.gpu.scope();
    const hidden = this.#body.forward(x);
    return scope.keep(
      this.#convOut.forward(hidden, { norm: this.#normOut.within({ silu: true }) }),
    );
  }

  /** The same as stages. */
  addTo(stages: Stages, map: FeatureMap): FeatureMap {
    const hidden = this.#body.addTo(stages, map);
    return stages.conv(this.#convOut, hidden, { norm: this.#normOut });
  }
}

function encoderLevel(
  context: BlockContext,
  parameters: Parameters,
  config: VaeConfig,
  level: number,
) {
  const { channels, blocksPerLevel, encoderAttentionLevels } = config;
  const output = channels[level];
  const blocks = [];
  for (let j = 0; j < blocksPerLevel; j++) {
    const input = j > 0 ? output : channels[Math.max(level - 1, 0)];
    blocks.push(new ResnetBlock(context, parameters.at(`block.${j}`), input, output));
    if (encoderAttentionLevels.includes(level)) {
      blocks.push(new AttentionBlock(context, parameters.at(`attn.${j}`), output));
    }
  }
  if (level < channels.length - 1) {
    blocks.push(new Downsample(context, parameters.at("downsample"), output));
  }
  return blocks;
}

/** Residual block, attention, residual block at the coarsest level; encoder and decoder have one each. */
export function middle(
  context: BlockContext,
  parameters: Parameters,
  config: VaeConfig,
  channels: number,
): (ResnetBlock | AttentionBlock)[] {
  const block = (name: string) => new ResnetBlock(context, parameters.at(name), channels, channels);
  const first = block("block_1");
  if (!config.midAttention) return [first, block("block_2")];
  const attention = new AttentionBlock(context, parameters.at("attn_1"), channels);
  return [first, attention, block("block_2")];
}
