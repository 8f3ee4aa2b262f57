import { Conv2d, type Parameters } from "../nn/mod.ts";
import { add, affine } from "../ops/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import type { MultiScaleQuantizerConfig } from "./config.ts";

/** φ(h) = (1 − ρ)·h + ρ·conv3×3(h) over [B, H, W, c]: mends what upsampling a scale's codes has blurred. */
export class Phi {
  #conv: Conv2d;
  #ratio: number;

  /** Declares `weight` and `bias`. */
  constructor(parameters: Parameters, channels: number, ratio: number) {
    this.#conv = new Conv2d(parameters, channels, channels, { kernel: 3, padding: 1 });
    this.#ratio = ratio;
  }

  /** Keeps the shape. */
  forward(h: Tensor): Tensor {
    return add(affine(h, 1 - this.#ratio, 0), affine(this.#conv.forward(h), this.#ratio, 0));
  }
}

/** The parts of a multi-scale quantizer's configuration that its φ hang on. */
type PhiConfig = Pick<MultiScaleQuantizerConfig, "patchSizes" | "shareQuantResi">;

/**
 * The names of the φ in VAR: with `shareQuantResi` 0 one each (`quant_resi.i`), with 1 one for all
 * (`quant_resi.qresi`), with K that many (`quant_resi.qresi_ls.k`).
 */
export function phiNames({ patchSizes, shareQuantResi: shared }: PhiConfig): string[] {
  if (shared === 1) return ["quant_resi.qresi"];
  return Array.from(
    { length: shared === 0 ? patchSizes.length : shared },
    (_, k) => shared === 0 ? `quant_resi.${k}` : `quant_resi.qresi_ls.${k}`,
  );
}

/**
 * Declares the φ and says which one each scale has: of several evenly spaced ones that which lies
 * nearest to the scale's place between the first and the last.
 */
export function phisOf(parameters: Parameters, config: MultiScaleQuantizerConfig): Phi[] {
  const { channels, quantResi, patchSizes: { length: scales } } = config;
  const phis = phiNames(config).map((name) => new Phi(parameters.at(name), channels, quantResi));
  return config.patchSizes.map((_, scale) => phis[nearestTick(scale, scales, phis.length)]);
}

/**
 * Which of `count` φ a scale has. VAR's ticks go from 1/3K to 1 − 1/3K where K is 4, from 1/2K to
 * 1 − 1/2K else; of two that are equally near, as at the third of ten scales, rounding decides in the
 * order of NumPy's `linspace`.
 */
export function nearestTick(scale: number, scales: number, count: number): number {
  const place = scales === 1 ? 0 : scale / (scales - 1);
  const start = 1 / (count === 4 ? 3 : 2) / count;
  const step = count === 1 ? 0 : (1 - start - start) / (count - 1);
  const distances = Array.from({ length: count }, (_, k) => Math.abs(k * step + start - place));
  return distances.indexOf(Math.min(...distances));
}
