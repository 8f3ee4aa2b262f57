import type { Quantizer } from "../../quantizer/mod.ts";
import type { EvaluationReport } from "../evaluate.ts";
import { decibels, qualityRows } from "../quality_rows.ts";
import { bitsText, count, counted, modelName, percent } from "./figures.ts";
import { type Html, type HtmlValue, markup } from "./html.ts";
import { table } from "./table.ts";

const KINDS = {
  coda: "CODA’s attention quantizer",
  nearest: "direct vector quantization",
  multiscale: "multi-scale vector quantization",
};

/** Of the images, what is not in a report. */
interface Images {
  /** Their pixels in the mean. */
  readonly meanPixels: number;
  /** The grid of each scale, in words. */
  readonly grids: readonly string[];
}

/** What was measured, how, and all measures. */
export function summary(
  report: EvaluationReport,
  quantizer: Quantizer,
  { meanPixels, grids }: Images,
): Html {
  const look = report.images === 1 ? "looks like from its" : "look like from their";
  return markup`<header>
<p class="kicker">coda eval</p>
<h1>What ${counted(report.images, "image")} ${look} tokens</h1>
${tiles(report, meanPixels)}
<div class="columns">
${facts(report, quantizer, grids)}
${measures(report)}
</div>
</header>`;
}

/** The figures that matter most. */
function tiles(report: EvaluationReport, meanPixels: number): Html {
  const { continuous, discrete, codebook, bitsPerPixel } = report;
  const bits = count(Math.round(bitsPerPixel * meanPixels));
  const tile = (name: string, value: string, beside: HtmlValue) =>
    markup`<li><span class="tile-name">${name}</span><strong>${value}</strong>
<span class="tile-beside">${beside}</span></li>`;
  const beside = (value: string) => markup`continuous <span class="figure">${value}</span>`;
  return markup`<ul class="tiles">
${tile("PSNR", decibels(discrete.psnr), beside(decibels(continuous.psnr)))}
${tile("SSIM", discrete.ssim.toFixed(4), beside(continuous.ssim.toFixed(4)))}
${
    tile(
      "Bits per pixel",
      bitsText(bitsPerPixel),
      `${bits} bits an image; originals have 24 per pixel`,
    )
  }
${
    tile(
      "Codes used",
      percent(codebook.used),
      `perplexity ${codebook.perplexity.toFixed(1)} of ${count(codebook.size)}`,
    )
  }
</ul>`;
}

function facts(
  report: EvaluationReport,
  { config: { kind = "coda" } }: Quantizer,
  grids: readonly string[],
): Html {
  const { model, skipped, codebook, continuousVae, protocol, protocolWords } = report;
  const fact = (name: string, value: HtmlValue) =>
    markup`<div><dt>${name}</dt><dd>${value}</dd></div>`;
  const varies = grids.includes("varies");
  const tokens = varies ? "tokens vary with the images’ sizes" : `tokens: ${grids.join(", ")}`;
  const left = skipped > 0 ? `; ${count(skipped)} could not be measured` : "";
  return markup`<dl class="facts">
${fact("Tokenizer", markup`<code title="${model}">${model.slice(0, 16)}…</code>`)}
${fact("Quantizer", `${KINDS[kind]}, V = ${count(codebook.size)}`)}
${fact("Scales", `${grids.length}; ${tokens}`)}
${fact("Continuous", modelName(continuousVae))}
${fact("Protocol", markup`<strong>${protocol}</strong>: ${protocolWords}`)}
${fact("Images", counted(report.images, "image") + left)}
</dl>`;
}

/** Every measure, and why the others are off. */
function measures(report: EvaluationReport): Html {
  const rows = qualityRows(report).map(([name, ...cells]) => ({ name, cells }));
  return table("All measures", [report.protocol, "continuous", "discrete"], rows, {
    more: report.off.map(offRow),
  });
}

/** A measure that is off: "LPIPS: there are no weights for it". */
function offRow(text: string): Html {
  const [, name, why] = /^([^:]*): *(.*)$/s.exec(text) ?? ["", "off", text];
  return markup`<tr class="off"><th scope="row">${name}</th><td colspan="2">off: ${why}</td></tr>`;
}
