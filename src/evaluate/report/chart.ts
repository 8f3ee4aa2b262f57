import type { Axis, Tick } from "./axes.ts";
import { type Html, markup } from "./html.ts";

/** The size of a chart in its own units, which are pixels on a phone. */
export const CHART = { width: 360, height: 250, left: 46, right: 14, top: 20, bottom: 42 };

/** What a chart has around what it shows. */
export interface Frame {
  /** What the chart shows, for those who do not see it. */
  readonly title: string;
  /** Across. */
  readonly x: Axis & { readonly label: string };
  /** Upwards. */
  readonly y: Axis & { readonly label: string };
}

/** Where a place of 0 to 1 lies across. */
export function across(place: number): number {
  return round(CHART.left + place * (CHART.width - CHART.left - CHART.right));
}

/** Where a place of 0 to 1 lies upwards. */
export function upwards(place: number): number {
  return round(CHART.height - CHART.bottom - place * (CHART.height - CHART.top - CHART.bottom));
}

/** A chart with its axes around what is drawn in it. */
export function chart({ title, x, y }: Frame, content: readonly Html[]): Html {
  const { width, height, left, right } = CHART;
  const floor = upwards(0);
  return markup`<svg class="chart" viewBox="0 0 ${width} ${height}" role="img"
aria-label="${title}">
${y.ticks.map(tickUpwards)}${x.ticks.map(tickAcross)}
<line class="axis" x1="${left}" x2="${width - right}" y1="${floor}" y2="${floor}"/>
<text class="label mid" x="${(left + width - right) / 2}" y="${height - 8}">${x.label}</text>
<text class="label" x="4" y="10">${y.label}</text>
${content}
</svg>`;
}

function tickUpwards({ value, place }: Tick): Html {
  const [top, { left, width, right }] = [upwards(place), CHART];
  return markup`<line class="grid" x1="${left}" x2="${width - right}" y1="${top}" y2="${top}"/>
<text class="tick end" x="${left - 6}" y="${round(top + 4)}">${figure(value)}</text>
`;
}

function tickAcross({ value, place }: Tick): Html {
  const [at, floor] = [across(place), upwards(0)];
  return markup`<line class="axis" x1="${at}" x2="${at}" y1="${floor}" y2="${floor + 4}"/>
<text class="tick mid" x="${at}" y="${floor + 16}">${figure(value)}</text>
`;
}

/** A number of an axis: no more digits than it has, thousands as k. */
function figure(value: number): string {
  if (value >= 1e6) return `${value / 1e6}M`;
  if (value >= 1e4) return `${value / 1e3}k`;
  return String(value);
}

function round(value: number): number {
  return Number(value.toFixed(1));
}
