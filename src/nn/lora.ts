import { add, conv2d, fusedConv2d, type FusedConv2dOptions, matmul, reshape } from "../ops/mod.ts";
import { readFor } from "../ops/fused_conv2d.ts";
import { noGrad, type Tensor } from "../tensor/mod.ts";
import { constant, normalWith } from "./initializers.ts";
import type { Conv2d } from "./layers.ts";
import { Parameters } from "./parameters.ts";

/**
 * The low-rank update of one convolution (Hu et al. 2021; SPEC section 4): `conv(x) + up(down(x))`.
 * `down` has the convolution's window, stride and padding, `up` is 1×1; neither has a bias.
 */
export class LoraAdapter {
  /** [height, width, in, rank]. */
  readonly down: Tensor;
  /** [1, 1, rank, out]. */
  readonly up: Tensor;

  /** Declares `down.weight` and `up.weight`: normal with std 1/rank, and zero. */
  constructor(parameters: Parameters, conv: Conv2d, rank: number) {
    const [height, width, input, output] = conv.weight.shape;
    this.down = parameters.declare("down.weight", [rank, input, height, width], {
      layout: "conv2d",
      initialize: normalWith(1 / rank),
    });
    this.up = parameters.declare("up.weight", [output, rank, 1, 1], {
      layout: "conv2d",
      initialize: constant(0),
    });
  }

  /** The weight that the update amounts to: `W + up·down`, [height, width, in, out]. */
  fusedWeight(conv: Conv2d): Tensor {
    const [height, width, input, output] = conv.weight.shape;
    const rank = this.up.shape[2];
    const down = reshape(this.down, [height * width * input, rank]);
    const update = matmul(down, reshape(this.up, [rank, output]));
    return add(conv.weight, reshape(update, conv.weight.shape));
  }

  /** The adapted convolution, in the cheaper of two equal ways. */
  forward(x: Tensor, conv: Conv2d, options: FusedConv2dOptions = conv.config): Tensor {
    const [, , rank, output] = this.up.shape;
    // Apart, the update adds 3·rank/out to a step's two convolutions (forward, input gradient);
    // fused, it adds one: the gradient of the whole weight.
    using scope = x.gpu.scope();
    if (output < 3 * rank) {
      return scope.keep(fusedConv2d(x, this.fusedWeight(conv), conv.bias, options));
    }
    const { norm, double, residual, ...own } = options;
    const read = readFor(x, { norm, double });
    const low = conv2d(read, this.down, undefined, own);
    return scope.keep(add(
      fusedConv2d(read, conv.weight, conv.bias, { ...own, residual }),
      conv2d(low, this.up, undefined, { stride: 1, padding: 0 }),
    ));
  }
}

/** Adapters of a model's convolutions and their parameters. */
export interface Lora {
  /** Their parameters, under `<conv>.lora_layer.{down,up}.weight`. */
  readonly parameters: Parameters;
  /** The rank of all of them. */
  readonly rank: number;
  /** The substrings by which the convolutions were chosen. */
  readonly targets: readonly string[];
}

/**
 * Adds an adapter to every convolution whose name contains one of `targets`.
 *
 * @throws {RangeError} where the rank is no whole number from 1 up, or no convolution matches.
 */
export function injectLora(
  convs: Iterable<Conv2d>,
  { rank, targets }: { rank: number; targets: readonly string[] },
): Lora {
  if (!Number.isInteger(rank) || rank < 1) {
    throw new RangeError(`LoRA rank ${rank} is no whole number from 1 up`);
  }
  const chosen = [...convs].filter(({ name }) => targets.some((target) => name.includes(target)));
  if (chosen.length === 0) {
    throw new RangeError(`no convolution's name contains ${targets.join(" or ")}`);
  }
  const parameters = new Parameters(chosen[0].weight.gpu);
  for (const conv of chosen) {
    conv.lora = new LoraAdapter(parameters.at(`${conv.name}.lora_layer`), conv, rank);
  }
  return { parameters, rank, targets };
}

/** Writes every adapter into its convolution's weight and removes it. */
export function fuseLora(convs: Iterable<Conv2d>): void {
  for (const conv of convs) {
    const { lora } = conv;
    if (!lora) continue;
    using _scope = conv.weight.gpu.scope();
    const fused = noGrad(() => lora.fusedWeight(conv));
    conv.weight.gpu.copy(fused.storage, conv.weight.storage);
    lora.down.dispose();
    lora.up.dispose();
    conv.lora = undefined;
  }
}
