import {
  type Conv2dOptions,
  fusedConv2d,
  type FusedConv2dOptions,
  type FusedNorm,
  groupNorm,
  layerNorm,
  matmul,
  rmsNorm,
} from "../ops/mod.ts";
import { groupApply, type GroupStatistics } from "../ops/group_statistics.ts";
import type { FloatType, Tensor } from "../tensor/mod.ts";
import { constant, uniformFanIn } from "./initializers.ts";
import type { LoraAdapter } from "./lora.ts";
import type { Parameters } from "./parameters.ts";

/** A fully connected layer: `x · Wᵀ + b`, PyTorch's `nn.Linear`, weight [out, in]. */
export class Linear {
  /** [out, in]. */
  readonly weight: Tensor;
  /** [out]. */
  readonly bias: Tensor;

  /** Declares `weight` and `bias`. */
  constructor(parameters: Parameters, input: number, output: number) {
    const initialize = uniformFanIn(input);
    this.weight = parameters.declare("weight", [output, input], { initialize });
    this.bias = parameters.declare("bias", [output], { initialize });
  }

  /** [..., in] → [..., out]. */
  forward(x: Tensor): Tensor {
    return matmul(x, this.weight, { transposeB: true, bias: this.bias });
  }
}

/** What a convolution needs to know beside its channels. */
export interface Conv2dConfig extends Conv2dOptions {
  /** Height and width of its window. */
  kernel: number;
}

/** A convolution over NHWC, PyTorch's `nn.Conv2d`, to which a LoRA adapter can be added. */
export class Conv2d {
  /** Its name among the model's modules: the key in weight files without `.weight`. */
  readonly name: string;
  /** [height, width, in, out]. */
  readonly weight: Tensor;
  /** [out]. */
  readonly bias: Tensor;
  /** Stride and padding. */
  readonly config: Conv2dConfig;
  /** How its result is stored: as its weight is, unless the configuration says otherwise. */
  get dtype(): FloatType {
    return this.config.dtype ?? (this.weight.dtype === "f16" ? "f16" : "f32");
  }

  /** The adapter that is trained in its stead; undefined without one. */
  lora: LoraAdapter | undefined;

  /** Declares `weight` and `bias`. */
  constructor(parameters: Parameters, input: number, output: number, config: Conv2dConfig) {
    const { kernel } = config;
    const initialize = uniformFanIn(input * kernel * kernel);
    this.name = parameters.nameOf();
    this.config = config;
    const shape = [output, input, kernel, kernel];
    this.weight = parameters.declare("weight", shape, { layout: "conv2d", initialize });
    this.bias = parameters.declare("bias", [output], { initialize });
  }

  /**
   * [N, H, W, in] → [N, H', W', out]. `around` says what is computed with it; a part of an image has other
   * zeros around it than the whole.
   */
  forward(x: Tensor, around: FusedConv2dOptions = {}): Tensor {
    const options = { ...this.config, ...around };
    if (this.lora) return this.lora.forward(x, this, options);
    return fusedConv2d(x, this.weight, this.bias, options);
  }
}

/** What every autoencoder of SPEC section 2's families adds to the variance. */
const GROUP_EPS = 1e-6;

/** Group normalisation over [N, ..., C], PyTorch's `nn.GroupNorm`, with SiLU behind it if wanted. */
export class GroupNorm {
  /** The scale, [C]. */
  readonly weight: Tensor;
  /** The shift, [C]. */
  readonly bias: Tensor;
  /** How many groups the channels form. */
  readonly groups: number;

  /** Declares `weight` and `bias`. */
  constructor(parameters: Parameters, channels: number, groups: number) {
    this.groups = groups;
    this.weight = parameters.declare("weight", [channels], { initialize: constant(1) });
    this.bias = parameters.declare("bias", [channels], { initialize: constant(0) });
  }

  /** Keeps the shape. */
  forward(x: Tensor, { silu = false }: { silu?: boolean } = {}): Tensor {
    return groupNorm(x, this.weight, this.bias, { groups: this.groups, eps: GROUP_EPS, silu });
  }

  /** The same as a part of the convolution that comes after it: {@link FusedConv2dOptions}' `norm`. */
  within(
    { silu = false, statistics }: Pick<FusedNorm, "silu" | "statistics"> = {},
  ): FusedNorm {
    const { weight: gamma, bias: beta, groups } = this;
    return { gamma, beta, groups, eps: GROUP_EPS, silu, statistics };
  }

  /**
   * The same for some pixels of one image, by the statistics of all; without gradients.
   *
   * @internal
   */
  forwardPart(
    x: Tensor,
    statistics: GroupStatistics,
    { silu = false }: { silu?: boolean } = {},
  ): Tensor {
    const channels = this.weight.size;
    const layout = { images: 1, pixels: x.size / channels, channels, groups: this.groups };
    return groupApply(x, this.weight, this.bias, statistics, { layout, eps: GROUP_EPS, silu });
  }
}

/** RMS normalisation over the last axis, PyTorch's `nn.RMSNorm`, eps 1e-5. */
export class RMSNorm {
  /** The scale, [C]. */
  readonly weight: Tensor;
  /** What is added to the mean square. */
  readonly eps = 1e-5;

  /** Declares `weight`. */
  constructor(parameters: Parameters, channels: number) {
    this.weight = parameters.declare("weight", [channels], { initialize: constant(1) });
  }

  /** Keeps the shape. */
  forward(x: Tensor): Tensor {
    return rmsNorm(x, this.weight, { eps: this.eps });
  }
}

/** Layer normalisation over the last axis, PyTorch's `nn.LayerNorm`. */
export class LayerNorm {
  /** The scale, [C]. */
  readonly weight: Tensor;
  /** The shift, [C]. */
  readonly bias: Tensor;
  /** What is added to the variance. */
  readonly eps: number;

  /** Declares `weight` and `bias`; `eps` is 1e-5 unless given. */
  constructor(parameters: Parameters, channels: number, { eps = 1e-5 }: { eps?: number } = {}) {
    this.eps = eps;
    this.weight = parameters.declare("weight", [channels], { initialize: constant(1) });
    this.bias = parameters.declare("bias", [channels], { initialize: constant(0) });
  }

  /** Keeps the shape. */
  forward(x: Tensor): Tensor {
    return layerNorm(x, this.weight, this.bias, { eps: this.eps });
  }
}
