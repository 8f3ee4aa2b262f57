import { filled, type NDArray } from "./ndarray.ts";

export interface AdamWOptions {
  lr: number;
  betas: readonly [number, number];
  eps: number;
  weightDecay: number;
}

/** The running moments of one parameter. */
export interface AdamWState {
  first: NDArray;
  second: NDArray;
  /** Steps taken. */
  step: number;
}

/** The state before the first step. */
export function adamwState(parameter: NDArray): AdamWState {
  return { first: filled(parameter.shape, 0), second: filled(parameter.shape, 0), step: 0 };
}

/** One step of AdamW (Loshchilov & Hutter 2019): changes the state, returns the new parameter. */
export function adamw(
  parameter: NDArray,
  gradient: NDArray,
  state: AdamWState,
  { lr, betas: [beta1, beta2], eps, weightDecay }: AdamWOptions,
): NDArray {
  state.step++;
  const data = parameter.data.map((value, i) => {
    const g = gradient.data[i];
    const m = state.first.data[i] = beta1 * state.first.data[i] + (1 - beta1) * g;
    const v = state.second.data[i] = beta2 * state.second.data[i] + (1 - beta2) * g * g;
    const unbiasedM = m / (1 - beta1 ** state.step);
    const unbiasedV = v / (1 - beta2 ** state.step);
    return value - lr * weightDecay * value - (lr * unbiasedM) / (Math.sqrt(unbiasedV) + eps);
  });
  return { shape: parameter.shape, data };
}

/** The norm of all gradients together. */
export function globalNorm(gradients: readonly NDArray[]): number {
  let total = 0;
  for (const { data } of gradients) for (const value of data) total += value * value;
  return Math.sqrt(total);
}

/** The gradients scaled so that their common norm is at most `limit`, as PyTorch's clip_grad_norm_. */
export function clipByGlobalNorm(gradients: readonly NDArray[], limit: number): NDArray[] {
  const factor = Math.min(1, limit / (globalNorm(gradients) + 1e-6));
  return gradients.map(({ shape, data }) => ({ shape, data: data.map((value) => value * factor) }));
}

/** The learning rate of step `step` (from 0) of `total`: a half cosine from `peak` to 0. */
export function cosineRate(peak: number, step: number, total: number): number {
  return (peak / 2) * (1 + Math.cos((Math.PI * step) / total));
}
