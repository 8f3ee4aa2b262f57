import { injectLora, type Lora } from "../nn/mod.ts";
import type { AutoencoderKL } from "../vae/mod.ts";
import type { TensorFile } from "./source.ts";

/** An adapter's tensors, behind its convolution's name. */
const DOWN = ".lora_layer.down.weight";
const UP = ".lora_layer.up.weight";

/** The convolutions that the published tokenizers adapt, by parts of their names. */
const USUAL_TARGETS: readonly (readonly string[])[] = [
  ["conv1", "conv2", "upsample", "downsample"],
  ["conv1", "conv2"],
];

/**
 * Adds the adapters that a file has to an autoencoder, with their values; undefined where it has none.
 *
 * @param weights The file's tensors under LDM's names.
 * @throws {CheckpointError} where one is missing or has another rank than the first.
 */
export async function loadAdapters(
  vae: AutoencoderKL,
  weights: TensorFile,
): Promise<Lora | undefined> {
  const adapted = vae.convs.filter(({ name }) =>
    weights.has(name + DOWN) || weights.has(name + UP)
  );
  if (adapted.length === 0) return undefined;
  const [rank] = weights.info(adapted[0].name + DOWN).shape;
  const names = adapted.map(({ name }) => name);
  const lora = injectLora(vae.convs, { rank, targets: targetsOf(names, vae) });
  try {
    await lora.parameters.load(weights);
    return lora;
  } catch (error) {
    lora.parameters[Symbol.dispose]();
    throw error;
  }
}

/** Parts of names by which exactly these convolutions are chosen: the usual ones, else all their names. */
function targetsOf(names: readonly string[], { convs }: AutoencoderKL): readonly string[] {
  const isExact = (targets: readonly string[]) =>
    convs.every(({ name }) =>
      names.includes(name) === targets.some((target) => name.includes(target))
    );
  return USUAL_TARGETS.find(isExact) ?? names;
}
