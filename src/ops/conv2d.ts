import {
  type FloatType,
  record,
  sameShape,
  type Shape,
  ShapeError,
  shapeText,
  type Tensor,
} from "../tensor/mod.ts";
import { expectDType, expectFloats, floatTypeOf } from "./check.ts";
import { algorithmFor, type ConvolutionAlgorithm } from "./conv2d_algorithm.ts";
import { convolve, type Geometry, inputGradient, weightGradient } from "./convolve.ts";
import { biasGradient, leftGradient, readByBackward, rightGradient } from "./matmul.ts";
import { type Operand, product } from "./product.ts";
import { winogradConvolve, winogradInputGradient, winogradWeightGradient } from "./winograd.ts";

/** Zeros around an image, in pixels. */
export interface Padding2d {
  /** Rows above. */
  top: number;
  /** Rows below. */
  bottom: number;
  /** Columns before. */
  left: number;
  /** Columns after. */
  right: number;
}

/** The geometry of a {@link conv2d}. */
export interface Conv2dOptions {
  /** Pixels from one output to the next, along both axes; default 1. */
  stride?: number;
  /** Zeros around the image; a number pads all four sides alike; default 0. */
  padding?: number | Padding2d;
  /** How the result is stored; default as the weight is. */
  dtype?: FloatType;
}

/**
 * Convolution (cross-correlation, as deep learning has it) of images `x` [N, H, W, Cin] with
 * `weight` [kH, kW, Cin, Cout] and an optional `bias` [Cout], in float32, to [N, H', W', Cout] with
 * H' = ⌊(H + top + bottom − kH) / stride⌋ + 1. PyTorch keeps such a weight as [Cout, Cin, kH, kW].
 * `x`, `weight` and the result may be stored in f16, each by itself.
 *
 * A pixel of the result depends, to the bit, not on the batch. With a 3×3 kernel and stride 1, between
 * maps of 16 channels or more, it is computed by Winograd's F(4×4, 3×3), in tiles of 4 by 4 pixels: its
 * place in its tile may change its last bits. Otherwise only what lies under the kernel matters. So an
 * image can be cut into bands whose first rows are multiples of 4 without a change.
 *
 * @throws {ShapeError} where channels or bias do not fit, or the kernel is larger than the padded image.
 * @throws {RangeError} for a stride below 1, or a padding that is negative or no whole number.
 *
 * @example
 * ```ts
 * import { conv2d, fromArray, full, Gpu } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [1, 2, 3, 4], [1, 2, 2, 1]);
 * const box = full(gpu, [3, 3, 1, 1], 1);
 * console.log(await conv2d(x, box, undefined, { padding: 1 }).read()); // 10, 10, 10, 10
 * ```
 */
export function conv2d(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor,
  options: Conv2dOptions = {},
): Tensor {
  const geometry = geometryOf(x, weight, bias, options);
  const dtype = resultType(weight, options);
  return isPointwise(geometry)
    ? pointwise(x, weight, bias, geometry, dtype)
    : spatial(x, weight, bias, geometry, dtype);
}

/** A convolution and its gradients; they record nothing. */
export interface Passes {
  /** The convolution itself. */
  forward(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | undefined,
    geometry: Geometry,
    dtype: FloatType,
  ): Tensor;
  /** The gradient with respect to x. */
  ofInput(dy: Tensor, weight: Tensor, geometry: Geometry): Tensor;
  /** The gradient with respect to the weight. */
  ofWeight(x: Tensor, dy: Tensor, geometry: Geometry): Tensor;
}

/** The passes by each algorithm. */
export const algorithms: Readonly<Record<ConvolutionAlgorithm, Passes>> = {
  direct: { forward: convolve, ofInput: inputGradient, ofWeight: weightGradient },
  winograd: {
    forward: winogradConvolve,
    ofInput: winogradInputGradient,
    ofWeight: winogradWeightGradient,
  },
};

function spatial(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  geometry: Geometry,
  dtype: FloatType,
): Tensor {
  const { forward, ofInput, ofWeight } = algorithms[algorithmFor(geometry)];
  return record("conv2d", {
    inputs: bias ? [x, weight, bias] : [x, weight],
    output: forward(x, weight, bias, geometry, dtype),
    saved: readByBackward(x, weight),
    activations: [x],
    backward: (dy, saved, [needsX, needsWeight, needsBias]) => [
      needsX ? ofInput(dy, saved[saved.length - 1], geometry) : null,
      needsWeight ? ofWeight(saved[0], dy, geometry) : null,
      ...(bias ? [needsBias ? biasGradient(dy) : null] : []),
    ],
  });
}

function isPointwise({ kernel, stride, top, left, image, output }: Geometry): boolean {
  return sameShape(kernel, [1, 1]) && stride === 1 && top === 0 && left === 0 &&
    sameShape(image, output);
}

/** A 1×1 convolution is a matrix product of pixels by channels. */
function pointwise(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  { batch, image: [height, width], cin, cout }: Geometry,
  dtype: FloatType,
): Tensor {
  const extents = { batch: 1, m: batch * height * width, n: cout, k: cin };
  const shapes = [x.shape, weight.shape];
  const output = [batch, height, width, cout];
  return record("conv2d", {
    inputs: bias ? [x, weight, bias] : [x, weight],
    output: product(x.gpu, matrix(x), matrix(weight), { ...extents, output, bias, dtype }),
    saved: readByBackward(x, weight),
    activations: [x],
    backward: (dy, saved, [needsX, needsWeight, needsBias]) => {
      const plain = { transposed: false, shared: false };
      return [
        needsX
          ? leftGradient(dy, plain, matrix(saved[saved.length - 1]), extents, shapes[0])
          : null,
        needsWeight ? rightGradient(dy, matrix(saved[0]), plain, extents, shapes[1]) : null,
        ...(bias ? [needsBias ? biasGradient(dy) : null] : []),
      ];
    },
  });
}

/** An image as a matrix of pixels by channels, or a 1×1 weight as one of Cin by Cout. */
function matrix({ storage }: Tensor): Operand {
  return { storage, transposed: false, shared: false };
}

/** How a convolution's result is stored. */
export function resultType(weight: Tensor, { dtype }: Conv2dOptions): FloatType {
  return dtype ?? floatTypeOf("conv2d", "weight", weight);
}

/** The extents of a convolution of x, or of something that has `shape` in its place; all is checked. */
export function geometryOf(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  { stride = 1, padding = 0 }: Conv2dOptions,
  shape: Shape = x.shape,
): Geometry {
  expectFloats("conv2d", { x, weight });
  if (bias) expectDType("conv2d", "f32", { bias });
  const shapes = `x ${shapeText(shape)}, weight ${shapeText(weight.shape)}`;
  if (x.rank !== 4 || weight.rank !== 4 || x.size === 0 || weight.size === 0) {
    throw new ShapeError("conv2d", `${shapes}: expected [N, H, W, Cin] and [kH, kW, Cin, Cout]`);
  }
  const [batch, height, width, cin] = shape;
  const [kH, kW, expected, cout] = weight.shape;
  if (cin !== expected) {
    throw new ShapeError(
      "conv2d",
      `${shapes}: x has ${cin} channels, weight [kH, kW, Cin, Cout] expects ${expected}`,
    );
  }
  if (bias && !sameShape(bias.shape, [cout])) {
    throw new ShapeError("conv2d", `bias ${shapeText(bias.shape)}: expected [${cout}]`);
  }
  const { top, bottom, left, right } = sides(stride, padding);
  const output = [
    Math.floor((height + top + bottom - kH) / stride) + 1,
    Math.floor((width + left + right - kW) / stride) + 1,
  ];
  if (Math.min(...output) < 1) {
    throw new ShapeError("conv2d", `${shapes}: the kernel is larger than the padded image`);
  }
  const image = [height, width];
  return { batch, image, cin, kernel: [kH, kW], output, cout, stride, top, left };
}

function sides(stride: number, padding: number | Padding2d): Padding2d {
  if (!Number.isInteger(stride) || stride < 1) {
    throw new RangeError(`conv2d: stride ${stride} is no whole number of at least 1`);
  }
  const { top, bottom, left, right } = typeof padding === "number"
    ? { top: padding, bottom: padding, left: padding, right: padding }
    : padding;
  for (const side of [top, bottom, left, right]) {
    if (!Number.isInteger(side) || side < 0) {
      throw new RangeError(`conv2d: padding ${side} is no whole number of at least 0`);
    }
  }
  return { top, bottom, left, right };
}
