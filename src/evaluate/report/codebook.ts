import type { CodebookUse } from "../../metrics/mod.ts";
import type { EvaluationReport } from "../evaluate.ts";
import { type Axis, axisTo, logAxis } from "./axes.ts";
import { across, CHART, chart, upwards } from "./chart.ts";
import { count, percent } from "./figures.ts";
import { type Html, markup } from "./html.ts";
import { type Row, table } from "./table.ts";

/** More points than this along a curve cannot be told apart. */
const MOST_POINTS = 400;

/** How the codebook is used: overall, and by scale. */
export function codebookSection(
  { codebook }: EvaluationReport,
  counts: readonly Float64Array[],
  grids: readonly string[],
): Html {
  const { size } = codebook;
  const sorted = totals(counts).sort().reverse();
  const used = sorted.subarray(0, sorted.findLastIndex((n) => n > 0) + 1);
  const tokens = sumOf(sorted);
  const rows = codebook.scales.map((use, i) =>
    row(String(i + 1), grids[i], use, sumOf(counts[i]), size)
  );
  return markup`<section id="codebook" aria-labelledby="codebook-title">
<h2 id="codebook-title">Codebook</h2>
<p>${count(used.length)} of ${count(size)} codes are used by ${count(tokens)} tokens. The curve has
the codes in the order of their use, on a logarithmic axis. Perplexity is exp(H) of the codes’
frequencies: ${count(size)} where all are equally frequent.</p>
<div class="charts"><figure>${histogram(used, tokens, size)}</figure>
${
    table(
      "Use of the codebook by scale",
      ["scale", "grid", "codes used", "perplexity", "tokens"],
      [row("all", "", codebook, tokens, size), ...rows],
    )
  }</div>
</section>`;
}

/** How often each code was chosen by any scale. */
export function totals(counts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(counts[0]?.length ?? 0);
  for (const scale of counts) scale.forEach((n, code) => all[code] += n);
  return all;
}

function sumOf(counts: Float64Array): number {
  return counts.reduce((sum, n) => sum + n, 0);
}

function row(name: string, grid: string, use: CodebookUse, tokens: number, size: number): Row {
  return {
    name,
    cells: [
      grid,
      [percent(use.used), bar(use.used)],
      [use.perplexity.toFixed(1), bar(use.perplexity / size)],
      count(tokens),
    ],
  };
}

function bar(share: number): Html {
  return markup`<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
<rect class="bar-all" width="100" height="6"/>
<rect class="bar-part" width="${(100 * share).toFixed(2)}" height="6"/></svg>`;
}

/** The codes that are used, by how often, and where all would be if they were equally frequent. */
function histogram(used: Float64Array, tokens: number, size: number): Html {
  const mean = tokens / size;
  const [most, least] = [used[0], used[used.length - 1]];
  const x = axisTo(size);
  const y = logAxis([most, least, mean], 0.08);
  const [level, right] = [upwards(y.place(mean)), CHART.width - CHART.right];
  return chart({
    title: `Use of ${count(size)} codes in the order of their use: ` +
      `${count(most)} times to ${count(least)} times`,
    x: { ...x, label: "codes, the most used first" },
    y: { ...y, label: "times used" },
  }, [
    markup`<polygon class="area" points="${outline(used, x, y)}"/>`,
    markup`<line class="ceiling" x1="${CHART.left}" x2="${right}" y1="${level}" y2="${level}"/>`,
    markup`<text class="ceiling-name end" x="${right - 2}" y="${level - 6}">equal use: ${
      mean.toFixed(1)
    }</text>`,
  ]);
}

/** The steps of a histogram, down to the axis at both ends. */
function outline(used: Float64Array, x: Axis, y: Axis): string {
  const step = Math.max(1, used.length / MOST_POINTS);
  const points = [`${across(x.place(0))},${upwards(0)}`];
  for (let i = 0; i < used.length; i += step) {
    const top = upwards(y.place(used[Math.floor(i)]));
    const end = Math.min(i + step, used.length);
    points.push(`${across(x.place(i))},${top}`, `${across(x.place(end))},${top}`);
  }
  return [...points, `${across(x.place(used.length))},${upwards(0)}`].join(" ");
}
