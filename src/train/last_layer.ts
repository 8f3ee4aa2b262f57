import type { Conv2d } from "../nn/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import type { TrainedModel } from "./trained_model.ts";

/**
 * The weight by whose gradients the adversarial loss is weighed against the others (SPEC section 5).
 *
 * Of adapters it is the `up` of the official code's choice: where upsamplings are adapted, that of the one
 * that runs first (`decoder.up.4.upsample.conv` of KL-16: its `decoder.up[-1]` is by name, not by order);
 * else that of the last convolution of the last block. Where the autoencoder's own weights are trained it
 * is the last convolution's, as in VQGAN.
 *
 * @throws {TypeError} where nothing of the decoder is trained.
 */
export function lastLayer({ vae, lora, trainsVae }: TrainedModel): Tensor {
  const { channels, blocksPerLevel } = vae.config;
  const find = (name: string): Conv2d | undefined => vae.convs.find((conv) => conv.name === name);
  if (!lora && trainsVae) return find("decoder.conv_out")!.weight;
  const official = [
    `decoder.up.${channels.length - 1}.upsample.conv`,
    `decoder.up.0.block.${blocksPerLevel}.conv2`,
  ].map(find);
  const others = vae.convs.filter(({ name }) => name.startsWith("decoder.")).toReversed();
  const chosen = [...official, ...others].find((conv) => conv?.lora);
  if (chosen?.lora) return chosen.lora.up;
  throw new TypeError("nothing of the decoder is trained: a discriminator has no use");
}
