import { Conv2d, GroupNorm, type Parameters } from "../nn/mod.ts";
import { add, attention, nearest, reshape } from "../ops/mod.ts";
import type { Tensor } from "../tensor/mod.ts";

/** What the blocks of one autoencoder share. */
export interface BlockContext {
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
  { kernel = 3, stride = 1, padding = kernel >> 1 }: {
    kernel?: number;
    stride?: number;
    padding?: Conv2d["config"]["padding"];
  } = {},
): Conv2d {
  const conv = new Conv2d(parameters, input, output, { kernel, stride, padding });
  convs.push(conv);
  return conv;
}

/** `x + conv2(silu(norm2(conv1(silu(norm1(x))))))`, x through a 1×1 where channels change. */
export class ResnetBlock {
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
    const hidden = this.#conv1.forward(this.#norm1.forward(x, { silu: true }));
    const residual = this.#conv2.forward(this.#norm2.forward(hidden, { silu: true }));
    return scope.keep(add(this.#shortcut?.forward(x) ?? x, residual));
  }
}

/** Single-head self-attention over all positions, plus the input. */
export class AttentionBlock {
  #norm: GroupNorm;
  #q: Conv2d;
  #k: Conv2d;
  #v: Conv2d;
  #out: Conv2d;

  /** Declares norm, q, k, v and proj_out. */
  constructor(context: BlockContext, parameters: Parameters, channels: number) {
    const pointwise = (name: string) =>
      makeConv(context, parameters.at(name), channels, channels, { kernel: 1 });
    this.#norm = new GroupNorm(parameters.at("norm"), channels, context.groups);
    this.#q = pointwise("q");
    this.#k = pointwise("k");
    this.#v = pointwise("v");
    this.#out = pointwise("proj_out");
  }

  /** Keeps the shape [N, H, W, C]. */
  forward(x: Tensor): Tensor {
    using scope = x.gpu.scope();
    const [batch, height, width, channels] = x.shape;
    const normed = this.#norm.forward(x);
    const [q, k, v] = [this.#q, this.#k, this.#v].map((map) =>
      reshape(map.forward(normed), [batch, height * width, channels])
    );
    const mixed = reshape(attention(q, k, v), x.shape);
    return scope.keep(add(x, this.#out.forward(mixed)));
  }
}

/** Halves height and width: one zero right and below, then 3×3 with stride 2. */
export class Downsample {
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
}

/** Doubles height and width: nearest, then 3×3. */
export class Upsample {
  #conv: Conv2d;

  /** Declares conv. */
  constructor(context: BlockContext, parameters: Parameters, channels: number) {
    this.#conv = makeConv(context, parameters.at("conv"), channels, channels);
  }

  /** [N, H, W, C] → [N, 2H, 2W, C]. */
  forward(x: Tensor): Tensor {
    using scope = x.gpu.scope();
    const [, height, width] = x.shape;
    return scope.keep(this.#conv.forward(nearest(x, { height: 2 * height, width: 2 * width })));
  }
}
