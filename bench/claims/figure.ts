import { flopAt } from "./compute.ts";
import type { ClaimsResult } from "./result.ts";
import { runNamed } from "./verdicts.ts";

/** Legible on white and on black. */
const INK = "#7d8590";
const OURS = "#2f81f7";
const THEIRS = "#db6d28";
const PANEL = { width: 330, height: 190 };

/** A chart as vega-lite describes it. */
export type Chart = { readonly [field: string]: unknown };

/** The four claims as four charts. */
export function figure(result: ClaimsResult): Chart {
  return {
    background: "transparent",
    padding: 12,
    config: {
      view: { stroke: null },
      axis: {
        labelColor: INK,
        titleColor: INK,
        domainColor: INK,
        tickColor: INK,
        gridOpacity: 0.15,
      },
      title: { color: INK, anchor: "start", fontSize: 14 },
      legend: { labelColor: INK, titleColor: INK, orient: "bottom", title: null, labelLimit: 300 },
      text: { color: INK },
      font: "system-ui, sans-serif",
    },
    columns: 2,
    spacing: { row: 36, column: 48 },
    resolve: { scale: { color: "independent" } },
    concat: [useChart(result), computeChart(result), partsChart(result), levelsChart(result)],
  };
}

/** Draws a chart as SVG. vega is fetched when it is first drawn. */
export async function svgOf(chart: Chart): Promise<string> {
  const [vega, lite]: [Vega, VegaLite] = await Promise.all([import(VEGA), import(VEGA_LITE)]);
  const view = new vega.View(vega.parse(lite.compile(chart).spec), { renderer: "none" });
  return `${await view.toSVG()}\n`;
}

const VEGA: string = "npm:vega@6.4.0";
const VEGA_LITE: string = "npm:vega-lite@6.5.0";

interface Vega {
  parse(spec: Chart): unknown;
  View: new (runtime: unknown, options: { renderer: "none" }) => { toSVG(): Promise<string> };
}

interface VegaLite {
  compile(chart: Chart): { readonly spec: Chart };
}

function useChart(result: ClaimsResult): Chart {
  const names = {
    coda: "CODA",
    multiscale: "multi-scale VQ",
    nearest: "direct VQ",
    vqgan: "VQGAN",
  };
  const values = Object.entries(names).map(([name, title]) => {
    const { used } = runNamed(result, name).heldOut.codebook;
    return { title, used: 100 * used, text: `${(100 * used).toFixed(1)} %`, ours: name === "coda" };
  });
  return bars("(a) Codes used, in percent", values, {
    field: "used",
    scale: { domain: [0, 100], nice: false },
  });
}

function partsChart(result: ClaimsResult): Chart {
  const names = {
    nearest: "direct VQ",
    multiscale: "+ residual",
    "coda-frozen": "+ attention",
    coda: "+ LoRA: CODA",
  };
  const values = Object.entries(names).map(([name, title]) => {
    const { psnr, kid } = runNamed(result, name).heldOut;
    return { title, kid, text: `${kid.toFixed(2)} · ${psnr.toFixed(2)} dB`, ours: name === "coda" };
  });
  return bars("(c) CODA's parts: resnet50-kid (less is better) · PSNR", values, { field: "kid" });
}

function bars(title: string, values: readonly object[], x: Chart): Chart {
  const y = {
    field: "title",
    type: "nominal",
    sort: null,
    title: null,
    axis: { ticks: false, minExtent: 96 },
  };
  return {
    ...PANEL,
    title,
    data: { values },
    encoding: { y, x: { type: "quantitative", title: null, ...x } },
    layer: [
      {
        mark: { type: "bar", height: { band: 0.6 } },
        encoding: {
          color: {
            field: "ours",
            type: "nominal",
            legend: null,
            scale: { domain: [true, false], range: [OURS, THEIRS] },
          },
        },
      },
      {
        mark: { type: "text", align: "left", dx: 5, color: INK },
        encoding: { text: { field: "text" } },
      },
    ],
  };
}

function computeChart(result: ClaimsResult): Chart {
  const values = (["coda", "vqgan"] as const).flatMap((name) =>
    runNamed(result, name).looks.map(({ step, psnr }) => ({
      run: name === "coda" ? "CODA" : "VQGAN, six times the steps",
      x: flopAt(result.compute[name], step) / 1e12,
      y: psnr,
    }))
  );
  return lines("(b) PSNR in dB by training compute in TFLOP", values, {
    type: "quantitative",
    title: null,
  });
}

function levelsChart({ runs }: ClaimsResult): Chart {
  const values = runs.filter(({ claim }) => claim === "levels")
    .map(({ title, levels, heldOut }) => ({ run: title, x: levels, y: heldOut.psnr }));
  return lines("(d) PSNR in dB by residual levels", values, {
    type: "quantitative",
    title: null,
    axis: { values: [...new Set(values.map(({ x }) => x))] },
  });
}

function lines(
  title: string,
  values: readonly { run: string; x: number; y: number }[],
  x: Chart,
): Chart {
  const names = [...new Set(values.map(({ run }) => run))];
  const ours = names.map((name) => name.startsWith("CODA") ? OURS : THEIRS);
  return {
    ...PANEL,
    title,
    data: { values },
    mark: { type: "line", point: true },
    encoding: {
      x: { field: "x", ...x },
      y: {
        field: "y",
        type: "quantitative",
        title: null,
        scale: { zero: false },
        axis: { minExtent: 24, tickCount: 6 },
      },
      color: { field: "run", type: "nominal", scale: { domain: names, range: ours } },
    },
  };
}
