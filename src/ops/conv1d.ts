import { sameShape, ShapeError, shapeText, type Tensor } from "../tensor/mod.ts";
import { conv2d } from "./conv2d.ts";
import { pad } from "./pad.ts";
import { reshape } from "./reshape.ts";

/** What a {@link conv1d} puts around a sequence, in positions. */
export interface Padding1d {
  /** Positions before. */
  left: number;
  /** Positions after. */
  right: number;
}

/** The geometry of a {@link conv1d}. */
export interface Conv1dOptions {
  /** Positions from one output to the next; default 1. */
  stride?: number;
  /** Positions added; a number adds to both ends alike; default 0. */
  padding?: number | Padding1d;
  /** What is added: zeros (the default), or the other end of the sequence. */
  paddingMode?: "zeros" | "circular";
}

/**
 * Convolution (cross-correlation) of sequences `x` [N, L, Cin] with `weight` [k, Cin, Cout] and an
 * optional `bias` [Cout], in float32, to [N, L', Cout] with L' = ⌊(L + left + right − k) / stride⌋ + 1.
 * PyTorch keeps such a weight as [Cout, Cin, k].
 *
 * @throws {ShapeError} where channels or bias do not fit, or the kernel is longer than the padded sequence.
 * @throws {RangeError} for a stride below 1, a padding that is negative or no whole number, or a circular
 * padding longer than the sequence.
 *
 * @example
 * ```ts
 * import { conv1d, fromArray, Gpu } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [1, 2, 3, 4], [1, 4, 1]);
 * const difference = fromArray(gpu, [-1, 1], [2, 1, 1]);
 * const padding = { left: 1, right: 0 };
 * const y = conv1d(x, difference, undefined, { padding, paddingMode: "circular" });
 * console.log(await y.read()); // -3, 1, 1, 1
 * ```
 */
export function conv1d(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor,
  options: Conv1dOptions = {},
): Tensor {
  const { stride = 1, padding = 0, paddingMode = "zeros" } = options;
  const ends = typeof padding === "number" ? { left: padding, right: padding } : padding;
  check(x, weight, bias);
  checkGeometry(x, weight, stride, ends);
  using scope = x.gpu.scope();
  const isCircular = paddingMode === "circular";
  const sequence = isCircular ? pad(x, [[0, 0], [ends.left, ends.right]], { mode: "circular" }) : x;
  const [batch, length, cin] = sequence.shape;
  const [kernel, , cout] = weight.shape;
  const image = reshape(sequence, [batch, 1, length, cin]);
  const y = conv2d(image, reshape(weight, [1, kernel, cin, cout]), bias, {
    stride,
    padding: isCircular ? 0 : { top: 0, bottom: 0, ...ends },
  });
  return scope.keep(reshape(y, [batch, y.shape[2], cout]));
}

function check(x: Tensor, weight: Tensor, bias: Tensor | undefined): void {
  const shapes = `x ${shapeText(x.shape)}, weight ${shapeText(weight.shape)}`;
  if (x.rank !== 3 || weight.rank !== 3) {
    throw new ShapeError("conv1d", `${shapes}: expected [N, L, Cin] and [k, Cin, Cout]`);
  }
  if (x.shape[2] !== weight.shape[1]) {
    throw new ShapeError(
      "conv1d",
      `${shapes}: x has ${x.shape[2]} channels, weight expects ${weight.shape[1]}`,
    );
  }
  if (bias && !sameShape(bias.shape, [weight.shape[2]])) {
    throw new ShapeError("conv1d", `bias ${shapeText(bias.shape)}: expected [${weight.shape[2]}]`);
  }
}

function checkGeometry(
  x: Tensor,
  weight: Tensor,
  stride: number,
  { left, right }: Padding1d,
): void {
  if (!Number.isInteger(stride) || stride < 1) {
    throw new RangeError(`conv1d: stride ${stride} is no whole number of at least 1`);
  }
  for (const end of [left, right]) {
    if (!Number.isInteger(end) || end < 0) {
      throw new RangeError(`conv1d: padding ${end} is no whole number of at least 0`);
    }
  }
  if (x.shape[1] + left + right < weight.shape[0]) {
    throw new ShapeError(
      "conv1d",
      `x ${shapeText(x.shape)}, weight ${shapeText(weight.shape)}: ` +
        "the kernel is longer than the padded sequence",
    );
  }
}
