import type { WeightSource } from "../nn/mod.ts";

/** What Keras' applications add to the variance. */
const EPS = 1.001e-5;

/** The first convolution, whose input channels are blue, green and red in Keras' "caffe" mode. */
const STEM = "conv1_conv.weight";

/**
 * Convolutions as PyTorch has them out of Keras' layers: `NAME_conv.weight` [out, in, height, width] and
 * `NAME_conv.bias` out of `NAME_conv/kernel` [height, width, in, out], `NAME_conv/bias` and the batch norm
 * behind it, `NAME_bn/{gamma,beta,moving_mean,moving_variance}`.
 */
export function foldedNorms(source: WeightSource): WeightSource {
  return {
    file: source.file,
    has: (name) => source.has(name.replace(".weight", "/kernel").replace(".bias", "/bias")),
    floats: (name, shape) =>
      name.endsWith(".weight") ? weightOf(source, name, shape) : biasOf(source, name, shape),
  };
}

async function weightOf(
  source: WeightSource,
  name: string,
  [output, input, height, width]: readonly number[],
): Promise<Float32Array> {
  const layer = name.replace("_conv.weight", "");
  const kernel = await source.floats(`${layer}_conv/kernel`, [height, width, input, output]);
  const { scale } = await normOf(source, layer, output);
  const taps = height * width;
  const weight = new Float32Array(kernel.length);
  let at = 0;
  for (let o = 0; o < output; o++) {
    for (let i = 0; i < input; i++) {
      const from = name === STEM ? input - 1 - i : i;
      for (let tap = 0; tap < taps; tap++) {
        weight[at++] = kernel[(tap * input + from) * output + o] * scale[o];
      }
    }
  }
  return weight;
}

async function biasOf(
  source: WeightSource,
  name: string,
  [output]: readonly number[],
): Promise<Float32Array> {
  const layer = name.replace("_conv.bias", "");
  const bias = await source.floats(`${layer}_conv/bias`, [output]);
  const { scale, mean, beta } = await normOf(source, layer, output);
  return bias.map((value, o) => (value - mean[o]) * scale[o] + beta[o]);
}

/** A batch norm as what it multiplies by, and what it takes away before and adds behind. */
async function normOf(source: WeightSource, layer: string, channels: number) {
  const read = (name: string) => source.floats(`${layer}_bn/${name}`, [channels]);
  const [gamma, beta, mean, variance] = await Promise.all(
    ["gamma", "beta", "moving_mean", "moving_variance"].map(read),
  );
  const scale = Float64Array.from(gamma, (value, o) => value / Math.sqrt(variance[o] + EPS));
  return { scale, mean, beta };
}
