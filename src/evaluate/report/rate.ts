import type { EvaluationReport } from "../evaluate.ts";
import { decibels } from "../quality_rows.ts";
import type { PrefixQuality } from "../tally.ts";
import { type Axis, linearAxis, logAxis } from "./axes.ts";
import { across, CHART, chart, upwards } from "./chart.ts";
import { bitsText, count } from "./figures.ts";
import { type Html, markup } from "./html.ts";
import { table } from "./table.ts";

/** A measure that is drawn over the rate. */
interface Curve {
  readonly name: string;
  readonly label: string;
  readonly of: (quality: Pick<PrefixQuality, "psnr" | "ssim">) => number | null;
  readonly text: (value: number) => string;
}

const CURVES: readonly Curve[] = [
  { name: "PSNR", label: "PSNR, dB", of: ({ psnr }) => psnr, text: (value) => decibels(value) },
  { name: "SSIM", label: "SSIM", of: ({ ssim }) => ssim, text: (value) => value.toFixed(4) },
];
/** Names of points that are nearer than this across are left out. */
const NAME_ROOM = 13;

/** Rate and distortion: what an image from the first scales is worth, by the bits that they take. */
export function rateSection(report: EvaluationReport, meanPixels: number): Html {
  const points = pointsOf(report);
  const x = logAxis(points.map(({ bitsPerPixel }) => bitsPerPixel));
  return markup`<section id="rate" aria-labelledby="rate-title">
<h2 id="rate-title">Rate and distortion</h2>
<p>Images from the first 1, 2, … scales of their tokens, over the bits that these take, on a
logarithmic axis. The dashed line is the continuous VAE, whose latent is not rounded to codes.
Numbers at the points count scales.</p>
<div class="charts">${CURVES.map((curve) => curveChart(curve, points, x, report))}</div>
${figures(points, meanPixels, report)}
</section>`;
}

/** A quantizer of one scale has no prefixes. */
function pointsOf({ prefixes, bitsPerPixel, discrete }: EvaluationReport): PrefixQuality[] {
  if (prefixes.length > 0) return [...prefixes];
  return [{ scales: 1, bitsPerPixel, psnr: discrete.psnr, ssim: discrete.ssim }];
}

function curveChart(
  curve: Curve,
  points: readonly PrefixQuality[],
  x: Axis,
  { continuous }: EvaluationReport,
): Html {
  const { name, label, of } = curve;
  const found = points.flatMap((point) => {
    const value = of(point);
    return value === null ? [] : [{ ...point, value }];
  });
  const ceiling = of(continuous);
  const values = [...found.map(({ value }) => value), ...ceiling === null ? [] : [ceiling]];
  if (values.length === 0) return markup`<p>All images equal their originals.</p>`;
  const y = linearAxis(values, { room: 0.04 });
  const places = found.map((point) => ({
    ...point,
    left: across(x.place(point.bitsPerPixel)),
    top: upwards(y.place(point.value)),
  }));
  const title = `${name} over bits per pixel; the figures are in the table below`;
  return markup`<figure>${
    chart({ title, x: { ...x, label: "bits per pixel" }, y: { ...y, label } }, [
      ceiling === null ? markup`` : ceilingLine(upwards(y.place(ceiling)), curve.text(ceiling)),
      markup`<polyline class="curve" points="${
        places.map(({ left, top }) => `${left},${top}`).join(" ")
      }"/>`,
      ...marks(places, curve),
    ])
  }</figure>`;
}

/** A point of a curve on the chart. */
interface Place extends PrefixQuality {
  readonly value: number;
  readonly left: number;
  readonly top: number;
}

/** The points, each with its figures where the pointer rests on it. */
function marks(places: readonly Place[], { text }: Curve): Html[] {
  let named = -Infinity;
  return places.map(({ scales, left, top, value, bitsPerPixel }) => {
    const isNamed = left - named >= NAME_ROOM;
    if (isNamed) named = left;
    const name = markup`<text class="name end" x="${left - 4}" y="${
      (top - 7).toFixed(1)
    }">${scales}</text>`;
    return markup`<g><title>${scales === 1 ? "1 scale" : `${scales} scales`}: ${text(value)} at ${
      bitsText(bitsPerPixel)
    } bits per pixel</title><circle class="hit" cx="${left}" cy="${top}" r="11"/>
<circle class="dot" cx="${left}" cy="${top}" r="3.5"/>${isNamed ? name : ""}</g>
`;
  });
}

function ceilingLine(top: number, text: string): Html {
  const { left, width, right } = CHART;
  return markup`<line class="ceiling" x1="${left}" x2="${width - right}" y1="${top}" y2="${top}"/>
<text class="ceiling-name" x="${left + 6}" y="${
    (top + 14).toFixed(1)
  }">continuous VAE ${text}</text>
`;
}

function figures(
  points: readonly PrefixQuality[],
  meanPixels: number,
  { continuous }: EvaluationReport,
): Html {
  const quality = ({ psnr, ssim }: Pick<PrefixQuality, "psnr" | "ssim">) => [
    psnr === null ? "equal" : psnr.toFixed(2),
    ssim.toFixed(4),
  ];
  const rows = points.map((point) => ({
    name: String(point.scales),
    cells: [
      count(Math.round(point.bitsPerPixel * meanPixels)),
      bitsText(point.bitsPerPixel),
      ...quality(point),
    ],
  }));
  return table(
    "Rate and distortion",
    ["scales", "bits per image", "bits per pixel", "PSNR, dB", "SSIM"],
    [...rows, { name: "VAE", cells: ["–", "–", ...quality(continuous)] }],
  );
}
