import { record, sameShape, ShapeError, shapeText, type Tensor } from "../tensor/mod.ts";
import { addAs } from "./binary.ts";
import { expectDType, expectFloats } from "./check.ts";
import { conv2d, type Conv2dOptions, geometryOf, resultType } from "./conv2d.ts";
import { algorithmFor } from "./conv2d_algorithm.ts";
import type { Geometry } from "./convolve.ts";
import { groupNorm, type GroupNormOptions, groupSettings } from "./group_norm.ts";
import { groupApply, groupGradients, groupStatistics } from "./group_statistics.ts";
import { biasGradient } from "./matmul.ts";
import { nearest } from "./resample.ts";
import { winogradConvolve, winogradInputGradient, winogradWeightGradient } from "./winograd.ts";
import type { Reading } from "./winograd_transforms.ts";

/** A group norm within a {@link fusedConv2d}. */
export interface FusedNorm extends GroupNormOptions {
  /** The scale of each channel, [Cin]. */
  gamma: Tensor;
  /** The shift of each channel, [Cin]. */
  beta: Tensor;
  /** Of each image's groups, [N, groups], where x is a part of an image: constants to any gradient. */
  statistics?: { mean: Tensor; variance: Tensor };
}

/** The geometry of a {@link fusedConv2d}, and what is computed with it. */
export interface FusedConv2dOptions extends Conv2dOptions {
  /** Group norm of x, and SiLU where it asks for it, before all else. */
  norm?: FusedNorm;
  /** Nearest-neighbour upsampling to twice the height and width, before the convolution. */
  double?: boolean;
  /** Added to the result, of the result's shape. */
  residual?: Tensor;
}

/**
 * A convolution with its neighbours in a residual network: the same as `add(residual,
 * conv2d(nearest(groupNorm(x))))`, of which only the convolution has to be asked for. Where the
 * convolution is computed by Winograd's algorithm (see {@link conv2d}), what is between these operations
 * is neither written nor, for the gradients, kept, but computed again where it is read.
 *
 * @throws {ShapeError} where {@link conv2d} or {@link groupNorm} does, the residual has another shape
 * than the result, or given statistics are not [N, groups].
 * @throws {RangeError} where one of them does.
 *
 * @example
 * ```ts
 * import { full, fusedConv2d, Gpu, normal, Random } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = normal(gpu, [1, 8, 8, 32], new Random(0));
 * const weight = normal(gpu, [3, 3, 32, 32], new Random(1));
 * const norm = { gamma: full(gpu, [32], 1), beta: full(gpu, [32], 0), groups: 8, silu: true };
 * const y = fusedConv2d(x, weight, undefined, { padding: 1, norm, residual: x });
 * console.log(y.shape); // [1, 8, 8, 32]
 * ```
 */
export function fusedConv2d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  options: FusedConv2dOptions = {},
): Tensor {
  const { norm, double = false, residual, ...plain } = options;
  if (!norm && !double && !residual) return conv2d(x, weight, bias, plain);
  const shape = double ? x.shape.map((n, axis) => axis === 1 || axis === 2 ? 2 * n : n) : x.shape;
  const geometry = geometryOf(x, weight, bias, plain, shape);
  checkResidual(residual, geometry);
  checkStatistics(norm, geometry);
  return canFuse(geometry, options)
    ? fused(x, weight, bias, geometry, options)
    : composed(x, weight, bias, options);
}

/** What a convolution reads of x, by the simple operations. */
export function readFor(
  x: Tensor,
  { norm, double }: Pick<FusedConv2dOptions, "norm" | "double">,
): Tensor {
  using scope = x.gpu.scope();
  const normed = norm ? normedBy(x, norm) : x;
  if (!double) return norm ? scope.keep(normed) : x;
  const [, height, width] = x.shape;
  return scope.keep(nearest(normed, { height: 2 * height, width: 2 * width }));
}

function normedBy(x: Tensor, norm: FusedNorm): Tensor {
  const { gamma, beta, statistics } = norm;
  if (!statistics) return groupNorm(x, gamma, beta, norm);
  const settings = groupSettings(x, gamma, beta, norm);
  return record("groupNorm", {
    inputs: [x, gamma, beta],
    output: groupApply(x, gamma, beta, statistics, settings),
    saved: [x, gamma, beta, statistics.mean, statistics.variance],
    activations: [x],
    backward: (dy, saved, needs) => groupGradients(dy, saved, needs, { ...settings, fixed: true }),
  });
}

function composed(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  { norm, double, residual, ...plain }: FusedConv2dOptions,
): Tensor {
  using scope = x.gpu.scope();
  const read = readFor(x, { norm, double });
  if (!residual) return scope.keep(conv2d(read, weight, bias, plain));
  const y = conv2d(read, weight, bias, { ...plain, dtype: "f32" });
  return scope.keep(addAs(resultType(weight, plain), residual, y));
}

/** Whether the transforms can do it: they take whole vec4 of channels, and not norm and upsampling at once. */
function canFuse(geometry: Geometry, { norm, double }: FusedConv2dOptions): boolean {
  const { cin, cout, image, output, top, left } = geometry;
  const isInQuads = cin % 4 === 0 && cout % 4 === 0;
  const isSame = sameShape(image, output) && top === 1 && left === 1;
  return algorithmFor(geometry) === "winograd" && isInQuads && !(norm && double) &&
    (isSame || !double);
}

function fused(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  geometry: Geometry,
  { norm, double: isDoubled, residual, dtype }: FusedConv2dOptions,
): Tensor {
  using scope = x.gpu.scope();
  const settings = norm && groupSettings(x, norm.gamma, norm.beta, norm);
  const statistics = settings && (norm?.statistics ?? groupStatistics(x, settings.layout));
  const fixed = norm?.statistics !== undefined;
  const keptOfNorm = norm && statistics
    ? [norm.gamma, norm.beta, statistics.mean, statistics.variance]
    : [];
  /** How x is read, given what it is normed by. */
  const readingBy = ([gamma, beta, mean, variance]: readonly Tensor[]): Reading => ({
    norm: settings && { gamma, beta, statistics: { mean, variance }, settings },
    isDoubled,
  });
  const reading = readingBy(keptOfNorm);
  const stored = resultType(weight, { dtype });
  const around = { ...reading, residual };
  const y = scope.keep(winogradConvolve(x, weight, bias, geometry, stored, around));
  const readsX = norm !== undefined || weight.requiresGrad;
  return record("fusedConv2d", {
    // y, which wants no gradient yet, stands for what there is not.
    inputs: [x, weight, bias ?? y, residual ?? y, norm?.gamma ?? y, norm?.beta ?? y],
    output: y,
    saved: [weight, ...(readsX ? [x] : []), ...keptOfNorm],
    activations: [x],
    backward: (dy, [weight, x, ...keptOfNorm], needs) => {
      const [needsX, needsWeight, needsBias, needsResidual, needsGamma, needsBeta] = needs;
      const dw = needsWeight
        ? winogradWeightGradient(x, dy, geometry, readingBy(keptOfNorm))
        : null;
      const db = needsBias ? biasGradient(dy) : null;
      const wanted = [needsX, needsGamma, needsBeta];
      const dRead = wanted.includes(true)
        ? winogradInputGradient(dy, weight, geometry, { isDoubled })
        : null;
      const [dx, dGamma, dBeta] = settings && dRead
        ? groupGradients(dRead, [x, ...keptOfNorm], wanted, { ...settings, fixed })
        : [dRead, null, null];
      return [dx, dw, db, needsResidual ? dy : null, dGamma, dBeta];
    },
  });
}

function checkResidual(residual: Tensor | undefined, { batch, output, cout }: Geometry): void {
  if (!residual) return;
  expectFloats("fusedConv2d", { residual });
  const expected = [batch, ...output, cout];
  if (!sameShape(residual.shape, expected)) {
    throw new ShapeError(
      "fusedConv2d",
      `residual ${shapeText(residual.shape)}: expected ${shapeText(expected)}`,
    );
  }
}

function checkStatistics(norm: FusedNorm | undefined, { batch }: Geometry): void {
  if (!norm?.statistics) return;
  const { mean, variance } = norm.statistics;
  expectDType("fusedConv2d", "f32", { mean, variance });
  const expected = [batch, norm.groups];
  if (!sameShape(mean.shape, expected) || !sameShape(variance.shape, expected)) {
    throw new ShapeError(
      "fusedConv2d",
      `mean ${shapeText(mean.shape)}, variance ${shapeText(variance.shape)}: ` +
        `expected ${shapeText(expected)} each, one number for each image's group`,
    );
  }
}
