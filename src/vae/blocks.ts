import { Conv2d, GroupNorm, type Parameters } from "../nn/mod.ts";
import { nearest, slice } from "../ops/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import type { Layer, LayerTraining } from "./sequence.ts";
import { type FeatureMap, type Part, type Rows, type Stages, Window } from "./stages.ts";

/** What the blocks of one autoencoder share. */
export interface BlockContext extends LayerTraining {
  /** Groups of every group norm. */
  groups: number;
  /** Hears of every convolution, for LoRA to choose from. */
  convs: Conv2d[];
}

/** Declares a convolution and tells the context of it. */
export function makeConv(
  { convs }: BlockContext,
  parameters: Parameters,
  input: number,
  output: number,
  { kernel = 3, stride = 1, padding = kernel >> 1, dtype }: Partial<Conv2d["config"]> = {},
): Conv2d {
  const conv = new Conv2d(parameters, input, output, { kernel, stride, padding, dtype });
  convs.push(conv);
  return conv;
}

/** `x + conv2(silu(norm2(conv1(silu(norm1(x))))))`, x through a 1×1 where channels change. */
export class ResnetBlock implements Layer {
  #norm1: GroupNorm;
  #conv1: Conv2d;
  #norm2: GroupNorm;
  #conv2: Conv2d;
  #shortcut: Conv2d | undefined;

  /** Declares norm1, conv1, norm2, conv2 and, where channels change, nin_shortcut. */
  constructor(context: BlockContext, parameters: Parameters, input: number, output: number) {
    this.#norm1 = new GroupNorm(parameters.at("norm1"), input, context.groups);
    this.#conv1 = makeConv(context, parameters.at("conv1"), input, output);
    this.#norm2 = new GroupNorm(parameters.at("norm2"), output, context.groups);
    this.#conv2 = makeConv(context, parameters.at("conv2"), output, output);
    this.#shortcut = input === output
      ? undefined
      : makeConv(context, parameters.at("nin_shortcut"), input, output, { kernel: 1 });
  }

  /** [N, H, W, in] → [N, H, W, out]. */
  forward(x: Tensor): Tensor {
    using scope = x.gpu.scope();
    const hidden = this.#conv1.forward(x, { norm: this.#norm1.within({ silu: true }) });
    const norm = this.#norm2.within({ silu: true });
    const residual = this.#shortcut?.forward(x) ?? x;
    return scope.keep(this.#conv2.forward(hidden, { norm, residual }));
  }

  /** The same as two stages. */
  addTo(stages: Stages, map: FeatureMap): FeatureMap {
    const hidden = stages.conv(this.#conv1, map, { norm: this.#norm1 });
    return stages.conv(this.#conv2, hidden, {
      norm: this.#norm2,
      plus: { map, through: this.#shortcut },
    });
  }
}

/** Halves height and width: one zero right and below, then 3×3 with stride 2. */
export class Downsample implements Layer {
  #conv: Conv2d;

  /** Declares conv. */
  constructor(context: BlockContext, parameters: Parameters, channels: number) {
    const padding = { top: 0, left: 0, bottom: 1, right: 1 };
    this.#conv = makeConv(context, parameters.at("conv"), channels, channels, {
      stride: 2,
      padding,
    });
  }

  /** [N, H, W, C] → [N, H/2, W/2, C]. */
  forward(x: Tensor): Tensor {
    return this.#conv.forward(x);
  }

  /** The same as a stage. */
  addTo(stages: Stages, map: FeatureMap): FeatureMap {
    return stages.conv(this.#conv, map);
  }
}

/** Doubles height and width: nearest, then 3×3. */
export class Upsample implements Layer {
  #conv: Conv2d;

  /** Declares conv. */
  constructor(context: BlockContext, parameters: Parameters, channels: number) {
    this.#conv = makeConv(context, parameters.at("conv"), channels, channels);
  }

  /** [N, H, W, C] → [N, 2H, 2W, C]. */
  forward(x: Tensor): Tensor {
    return this.#conv.forward(x, { double: true });
  }

  /** The same as a stage. */
  addTo(stages: Stages, map: FeatureMap): FeatureMap {
    const window = new Window(this.#conv);
    const large = { ...map, height: 2 * map.height, width: 2 * map.width };
    const rows = (result: Rows) => {
      const { from, to } = window.under(result);
      return { from: Math.floor(from / 2), to: Math.ceil(to / 2) };
    };
    return stages.add({
      result: window.result(large),
      readings: [{ map, rows }],
      compute: ([part], result) => {
        using scope = part.tensor.gpu.scope();
        const [, height, width] = part.tensor.shape;
        const doubled = nearest(part.tensor, { height: 2 * height, width: 2 * width });
        const x = rowsOf(doubled, part, window.under(result));
        return scope.keep(window.forward(x, large, result));
      },
    });
  }
}

/** Of the doubled rows of a part, those among `wanted`. */
function rowsOf(x: Tensor, { rows }: Part, { from, to }: Rows): Tensor {
  const [, height, ...rest] = x.shape;
  const first = Math.max(from - 2 * rows.from, 0);
  const last = Math.min(to - 2 * rows.from, height);
  return first === 0 && last === height ? x : slice(x, [0, first], [1, last, ...rest]);
}
