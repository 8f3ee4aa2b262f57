import { defineKernel, gridFor } from "../gpu/mod.ts";
import { empty, type Shape, type Tensor, zeros } from "../tensor/mod.ts";
import { columnSums } from "./column_sums.ts";

const kernel = defineKernel("group_norm");

/** How a normalisation sees its input: `[images, pixels, channels]`, channels in `groups`. */
export interface GroupLayout {
  readonly images: number;
  readonly pixels: number;
  readonly channels: number;
  readonly groups: number;
}

/** Mean and biased variance of each group of each image. */
export interface GroupStatistics {
  readonly mean: Tensor;
  readonly variance: Tensor;
}

/** The settings that the forward pass and its gradient share. */
export interface GroupSettings {
  readonly layout: GroupLayout;
  readonly eps: number;
  readonly silu: boolean;
}

/** How many pixels' moments are taken together: it depends on one image's size, never on the batch. */
export function chunkOf(pixels: number): number {
  return Math.min(Math.max(Math.ceil(pixels / 8192) * 8, 32), 256);
}

function kernelParams(
  layout: GroupLayout,
  eps: number,
  chunk: number = chunkOf(layout.pixels),
): Record<string, number> {
  const { pixels } = layout;
  const strip = 8;
  return {
    ...layout,
    chunk,
    chunks: Math.ceil(pixels / chunk),
    strip,
    strips: Math.ceil(pixels / strip),
    eps,
  };
}

/** What a pixel is for the elementwise entries: channels, or vectors of four of them. */
function lanesOf({ channels }: GroupLayout): { vector: boolean; count: number } {
  const vector = channels % 4 === 0;
  return { vector, count: vector ? channels / 4 : channels };
}

/** What the elementwise entries norm by. */
function scales(
  ...tensors: readonly [gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor]
) {
  const [gamma, beta, mean, variance] = tensors.map(({ storage }) => storage);
  return { gamma, beta, mean, variance };
}

/** The statistics of each group of each image, as tensors of `shape`. */
export function groupStatistics(
  x: Tensor,
  layout: GroupLayout,
  shape: Shape = [layout.images, layout.groups],
): GroupStatistics {
  using scope = x.gpu.scope();
  const { mean, variance } = joinMoments(chunkMoments(x, layout), layout, shape);
  return { mean: scope.keep(mean), variance: scope.keep(variance) };
}

/** Mean and sum of squared deviations of each channel of each chunk: [images, chunks, channels]. */
export interface ChunkMoments {
  readonly means: Tensor;
  readonly squares: Tensor;
}

/** The moments of the chunks of `x`, `chunk` pixels each but for the last. */
export function chunkMoments(
  { gpu, storage }: Tensor,
  layout: GroupLayout,
  chunk: number = chunkOf(layout.pixels),
): ChunkMoments {
  const params = kernelParams(layout, 0, chunk);
  const means = empty(gpu, [layout.images, params.chunks, layout.channels]);
  const squares = empty(gpu, means.shape);
  const lanes = lanesOf(layout);
  gpu.run(kernel, lanes.vector ? "moments4" : "moments", {
    bind: lanes.vector
      ? { input4: storage, first4_out: means.storage, second4_out: squares.storage }
      : { input: storage, first_out: means.storage, second_out: squares.storage },
    params,
    grid: gridFor(layout.images * params.chunks * lanes.count, 64),
  });
  return { means, squares };
}

/** The statistics of each group from the moments of all chunks, as tensors of `shape`. */
export function joinMoments(
  { means, squares }: ChunkMoments,
  layout: GroupLayout,
  shape: Shape = [layout.images, layout.groups],
): GroupStatistics {
  const { gpu } = means;
  const mean = empty(gpu, shape);
  const variance = empty(gpu, shape);
  gpu.run(kernel, "statistics", {
    bind: {
      chunk_means: means.storage,
      chunk_squares: squares.storage,
      mean_out: mean.storage,
      variance_out: variance.storage,
    },
    params: kernelParams(layout, 0),
    constants: { GROUP: gpu.isCpu ? 8 : 64 },
    grid: gridFor(mean.size, 1),
  });
  return { mean, variance };
}

/** `(x − mean) / √(variance + eps) · gamma + beta`, then SiLU where asked for. */
export function groupApply(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  { mean, variance }: GroupStatistics,
  { layout, eps, silu }: GroupSettings,
): Tensor {
  const y = empty(x.gpu, x.shape, x.dtype);
  const params = kernelParams(layout, eps);
  const bind = scales(gamma, beta, mean, variance);
  const lanes = lanesOf(layout);
  x.gpu.run(kernel, lanes.vector ? "apply4" : "apply", {
    bind: lanes.vector
      ? { ...bind, input4: x.storage, output4: y.storage }
      : { ...bind, input: x.storage, output: y.storage },
    params,
    constants: { SILU: Number(silu) },
    grid: gridFor(layout.images * params.strips * lanes.count, 64),
  });
  return y;
}

/** The gradients of {@link groupApply} with respect to x, gamma and beta; null where not needed. */
export function groupGradients(
  dy: Tensor,
  saved: readonly Tensor[],
  [needsInput, needsGamma, needsBeta]: readonly boolean[],
  settings: GroupSettings & { /** Whether the statistics are constants. */ fixed: boolean },
): (Tensor | null)[] {
  const { gpu } = dy;
  const { layout, fixed } = settings;
  const needsParameters = needsGamma || needsBeta;
  const sums = needsParameters || !fixed ? channelSums(dy, saved, settings) : undefined;
  let dx: Tensor | null = null;
  if (needsInput) {
    const terms = fixed || !sums
      ? zeros(gpu, [layout.images, layout.groups, 2])
      : gradTerms(saved[1], sums, layout);
    dx = inputGradient(dy, saved, terms, settings);
  }
  if (!needsParameters || !sums) return [dx, null, null];
  const over = { batches: 1, rows: layout.images, columns: layout.channels };
  const [dBeta, dGamma] = columnSums(...sums, over);
  return [dx, dGamma, dBeta];
}

/** Σ dz and Σ dz·x̂ over the pixels of each image, `[images, channels]`, with dz the cotangent before SiLU. */
function channelSums(
  dy: Tensor,
  [x, gamma, beta, mean, variance]: readonly Tensor[],
  { layout, eps, silu }: GroupSettings,
): [Tensor, Tensor] {
  const { gpu } = x;
  const { images, channels } = layout;
  const params = kernelParams(layout, eps);
  const sums = empty(gpu, [images, params.chunks, channels]);
  const products = empty(gpu, sums.shape);
  const lanes = lanesOf(layout);
  const bind = scales(gamma, beta, mean, variance);
  gpu.run(kernel, lanes.vector ? "grad_sums4" : "grad_sums", {
    bind: lanes.vector
      ? {
        ...bind,
        input4: x.storage,
        dy4: dy.storage,
        first4_out: sums.storage,
        second4_out: products.storage,
      }
      : {
        ...bind,
        input: x.storage,
        dy: dy.storage,
        first_out: sums.storage,
        second_out: products.storage,
      },
    params,
    constants: { SILU: Number(silu) },
    grid: gridFor(images * params.chunks * lanes.count, 64),
  });
  return columnSums(sums, products, { batches: images, rows: params.chunks, columns: channels });
}

/** What the statistics take away from each group's input gradient. */
function gradTerms(
  gamma: Tensor,
  [sums, products]: [Tensor, Tensor],
  layout: GroupLayout,
): Tensor {
  const { images, groups } = layout;
  const terms = empty(gamma.gpu, [images, groups, 2]);
  gamma.gpu.run(kernel, "grad_terms", {
    bind: {
      gamma: gamma.storage,
      sums: sums.storage,
      products: products.storage,
      terms_out: terms.storage,
    },
    params: kernelParams(layout, 0),
    grid: gridFor(images * groups, 64),
  });
  return terms;
}

function inputGradient(
  dy: Tensor,
  [x, gamma, beta, mean, variance]: readonly Tensor[],
  terms: Tensor,
  { layout, eps, silu }: GroupSettings,
): Tensor {
  const { gpu } = x;
  const dx = empty(gpu, x.shape);
  const params = kernelParams(layout, eps);
  const lanes = lanesOf(layout);
  const bind = { ...scales(gamma, beta, mean, variance), terms: terms.storage };
  gpu.run(kernel, lanes.vector ? "input_grad4" : "input_grad", {
    bind: lanes.vector
      ? { ...bind, input4: x.storage, dy4: dy.storage, output4: dx.storage }
      : { ...bind, input: x.storage, dy: dy.storage, output: dx.storage },
    params,
    constants: { SILU: Number(silu) },
    grid: gridFor(layout.images * params.strips * lanes.count, 64),
  });
  return dx;
}
