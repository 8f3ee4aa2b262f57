import type { EvaluationReport } from "./evaluate.ts";
import type { Quality } from "./tally.ts";

/** A measure of the continuous and of the discrete images, in words. */
export type QualityRow = readonly [name: string, continuous: string, discrete: string];

/** Every measure of a report. */
export function qualityRows({ images, continuous, discrete }: EvaluationReport): QualityRow[] {
  const row = (name: string, cell: (quality: Quality) => string): QualityRow => [
    name,
    cell(continuous),
    cell(discrete),
  ];
  return [
    row("PSNR", ({ psnr, equal }) => meanDecibels(psnr, equal, images)),
    row("SSIM", ({ ssim }) => ssim.toFixed(4)),
    ...continuous.lpips === undefined ? [] : [row("LPIPS", ({ lpips }) => lpips!.toFixed(4))],
    ...Object.keys(continuous.distances).map((name) =>
      row(name, ({ distances }) => distances[name].toPrecision(5))
    ),
  ];
}

/** A PSNR in words. */
export function decibels(psnr: number | null): string {
  return psnr === null ? "equal" : `${psnr.toFixed(2)} dB`;
}

function meanDecibels(psnr: number | null, equal: number, images: number): string {
  return decibels(psnr) + (psnr === null || equal === 0 ? "" : ` (${equal} of ${images} equal)`);
}
