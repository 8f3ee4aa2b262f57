/** What `coda eval` prints. */
import type { EvaluationReport } from "../../evaluate/mod.ts";
import { decibels, qualityRows } from "../../evaluate/quality_rows.ts";
import { formatCount } from "../format.ts";

type Row = readonly [name: string, ...cells: string[]];

/** A report as tables, with what is off below them. */
export function reportText(report: EvaluationReport): string {
  const { protocol, protocolWords, images, continuousVae, codebook, off } = report;
  const counted = images === 1 ? "1 image" : `${formatCount(images)} images`;
  return [
    `${counted} at ${protocol}: ${protocolWords}`,
    `continuous: ${continuousVae}`,
    "",
    aligned([[protocol, "continuous", "discrete"], ...qualityRows(report)]),
    "",
    ...prefixTexts(report),
    aligned([
      [protocol, "codes used", "perplexity"],
      useRow(`all of ${formatCount(codebook.size)}`, codebook),
      ...codebook.scales.map((use, i) => useRow(`scale ${i + 1}`, use)),
    ]),
    "",
    `${report.bitsPerPixel.toFixed(3)} bits per pixel`,
    ...off.map((text) => `off: ${text}`),
  ].join("\n");
}

function prefixTexts({ protocol, prefixes }: EvaluationReport): string[] {
  if (prefixes.length === 0) return [];
  const rows = prefixes.map(({ scales, bitsPerPixel, psnr, ssim }): Row => [
    scales === 1 ? "1 scale" : `${scales} scales`,
    bitsPerPixel.toFixed(4),
    decibels(psnr),
    ssim.toFixed(4),
  ]);
  return [aligned([[protocol, "bits per pixel", "PSNR", "SSIM"], ...rows]), ""];
}

function useRow(name: string, { used, perplexity }: { used: number; perplexity: number }): Row {
  return [name, `${(100 * used).toFixed(1)} %`, perplexity.toFixed(1)];
}

/** Names to the left, cells to the right of their columns. */
function aligned(rows: readonly Row[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column] + 2)
    ).join("")
  ).join("\n");
}
