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

/** The kernel's parameters. How pixels are split depends on one image's shape, never on the batch. */
function kernelParams(layout: GroupLayout, eps: number): Record<string, number> {
  const { pixels } = layout;
  const chunk = Math.min(Math.max(Math.ceil(pixels / 8192) * 8, 32), 256);
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

/** The statistics of each group of each image, as tensors of `shape`. */
export function groupStatistics(
  x: Tensor,
  layout: GroupLayout,
  shape: Shape = [layout.images, layout.groups],
): GroupStatistics {
  const { gpu } = x;
  const { images, channels } = layout;
  const params = kernelParams(layout, 0);
  using scope = gpu.scope();
  const means = empty(gpu, [images, params.chunks, channels]);
  const squares = empty(gpu, means.shape);
  gpu.run(kernel, "moments", {
    bind: { input: x.storage, first_out: means.storage, second_out: squares.storage },
    params,
    grid: gridFor(means.size, 64),
  });
  const mean = scope.keep(empty(gpu, shape));
  const variance = scope.keep(empty(gpu, shape));
  gpu.run(kernel, "statistics", {
    bind: {
      chunk_means: means.storage,
      chunk_squares: squares.storage,
      mean_out: mean.storage,
      variance_out: variance.storage,
    },
    params,
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
  const y = empty(x.gpu, x.shape);
  const params = kernelParams(layout, eps);
  x.gpu.run(kernel, "apply", {
    bind: {
      input: x.storage,
      gamma: gamma.storage,
      beta: beta.storage,
      mean: mean.storage,
      variance: variance.storage,
      output: y.storage,
    },
    params,
    constants: { SILU: Number(silu) },
    grid: gridFor(layout.images * params.strips * layout.channels, 64),
  });
  return y;
}

/** The gradients of {@link groupApply} with respect to x, gamma and beta; null where not needed. */
export function groupGradients(
  dy: Tensor,
  [x, gamma, beta, mean, variance]: readonly Tensor[],
  needs: readonly boolean[],
  settings: GroupSettings & { /** Whether the statistics are constants. */ fixed: boolean },
): (Tensor | null)[] {
  const { gpu } = x;
  const { layout, fixed } = settings;
  const params = kernelParams(layout, settings.eps);
  const constants = { SILU: Number(settings.silu) };
  const bind = {
    input: x.storage,
    dy: dy.storage,
    gamma: gamma.storage,
    beta: beta.storage,
    mean: mean.storage,
    variance: variance.storage,
  };
  const perImage = (): [Tensor, Tensor] => {
    const sums = empty(gpu, [layout.images, params.chunks, layout.channels]);
    const products = empty(gpu, sums.shape);
    gpu.run(kernel, "grad_sums", {
      bind: { ...bind, first_out: sums.storage, second_out: products.storage },
      params,
      constants,
      grid: gridFor(sums.size, 64),
    });
    const shape = { batches: layout.images, rows: params.chunks, columns: layout.channels };
    return columnSums(sums, products, shape);
  };
  const wantsParameters = needs[1] || needs[2];
  const reduced = wantsParameters || !fixed ? perImage() : undefined;
  let dx: Tensor | null = null;
  if (needs[0]) {
    const terms = fixed || !reduced
      ? zeros(gpu, [layout.images, layout.groups, 2])
      : gradTerms(gamma, reduced, layout, params);
    dx = empty(gpu, x.shape);
    gpu.run(kernel, "input_grad", {
      bind: { ...bind, terms: terms.storage, output: dx.storage },
      params,
      constants,
      grid: gridFor(layout.images * params.strips * layout.channels, 64),
    });
  }
  if (!wantsParameters || !reduced) return [dx, null, null];
  const over = { batches: 1, rows: layout.images, columns: layout.channels };
  const [dBeta, dGamma] = columnSums(...reduced, over);
  return [dx, dGamma, dBeta];
}

function gradTerms(
  gamma: Tensor,
  [sums, products]: [Tensor, Tensor],
  { images, groups }: GroupLayout,
  params: Record<string, number>,
): Tensor {
  const terms = empty(gamma.gpu, [images, groups, 2]);
  gamma.gpu.run(kernel, "grad_terms", {
    bind: {
      gamma: gamma.storage,
      sums: sums.storage,
      products: products.storage,
      terms_out: terms.storage,
    },
    params,
    grid: gridFor(images * groups, 64),
  });
  return terms;
}
