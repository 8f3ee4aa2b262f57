import type { WeightSource } from "../../nn/mod.ts";

/** What the network adds to the variance. */
const EPS = 1e-3;

/**
 * Convolutions with a bias, `NAME.conv.weight` and `NAME.conv.bias`, out of PyTorch's without one and the
 * batch norm behind it, `NAME.bn.{weight,bias,running_mean,running_var}`.
 */
export function withNormsFolded(source: WeightSource): WeightSource {
  return {
    file: source.file,
    has: (name) => source.has(name.replace(".conv.bias", ".bn.bias")),
    async floats(name, shape) {
      const layer = name.slice(0, name.lastIndexOf(".conv."));
      const { scale, mean, bias } = await normOf(source, layer, shape[0]);
      if (name.endsWith(".bias")) return bias.map((value, o) => value - mean[o] * scale[o]);
      const weight = await source.floats(name, shape);
      const taps = weight.length / shape[0];
      return weight.map((value, i) => value * scale[Math.floor(i / taps)]);
    },
  };
}

/** A batch norm as what it takes away, multiplies by and adds. */
async function normOf(source: WeightSource, layer: string, channels: number) {
  const read = (name: string) => source.floats(`${layer}.bn.${name}`, [channels]);
  const [weight, bias, mean, variance] = await Promise.all(
    ["weight", "bias", "running_mean", "running_var"].map(read),
  );
  const scale = Float64Array.from(weight, (value, o) => value / Math.sqrt(variance[o] + EPS));
  return { scale, mean, bias };
}
