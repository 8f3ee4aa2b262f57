import config from "../../../deno.json" with { type: "json" };
import { script, style } from "../../../page/mod.ts";
import type { Quantizer } from "../../quantizer/mod.ts";
import { bitsPerIndex } from "../../tokens/tokens.ts";
import type { EvaluationReport } from "../evaluate.ts";
import { codebookSection } from "./codebook.ts";
import type { ShownCodes } from "./codes.ts";
import { compareSection } from "./compare.ts";
import { counted, nameOf } from "./figures.ts";
import { galleryName, gallerySection } from "./gallery.ts";
import { Html, markup } from "./html.ts";
import { rateSection } from "./rate.ts";
import { scalesSection } from "./scales.ts";
import type { ShownImage } from "./show.ts";
import { summary } from "./summary.ts";
import { pageData, tokensSection } from "./tokens.ts";

/** What stands on a page. */
export interface PageContent {
  /** What was measured. */
  readonly report: EvaluationReport;
  /** What made the tokens. */
  readonly quantizer: Quantizer;
  /** The images that are shown. */
  readonly images: readonly ShownImage[];
  /** The files of those that were to be shown, and could not be any more. */
  readonly unshown: readonly string[];
  /** Their codes. */
  readonly codes: ShownCodes;
  /** The grid of each scale, in words. */
  readonly grids: readonly string[];
  /** How often each scale chose each code. */
  readonly counts: readonly Float64Array[];
  /** The pixels of an image in the mean. */
  readonly meanPixels: number;
}

/** A part of the page. */
interface Part {
  readonly id: string;
  /** What leads to it. */
  readonly name: string;
  readonly section: Html;
  /** Whether the page's script fills it. */
  readonly isFilled?: boolean;
}

/** The parts; only those of the whole set where no image can be shown. */
function partsOf(content: PageContent): Part[] {
  const { report, quantizer, images, codes, counts, grids, meanPixels } = content;
  const set = [
    { id: "rate", name: "rate", section: rateSection(report, meanPixels) },
    { id: "codebook", name: "codebook", section: codebookSection(report, counts, grids) },
  ];
  if (images.length === 0) return set;
  return [
    { id: "compare", name: "side by side", section: compareSection(), isFilled: true },
    { id: "images", name: galleryName(images), section: gallerySection(images) },
    { id: "scales", name: "scales", section: scalesSection(images) },
    ...set,
    { id: "tokens", name: "tokens", section: tokensSection(quantizer, codes), isFilled: true },
  ];
}

/** The page of an evaluation: one file of HTML that asks for no other. */
export async function pageOf(content: PageContent): Promise<string> {
  const { images, codes, counts } = content;
  return markup`<!doctype html>
<html lang="en">
${await headOf(content.report)}
<body>
${mainOf(content)}
${footerOf(content.quantizer)}
${pageData(images, codes, counts)}
<script>${new Html(script)}</script>
</body>
</html>
`.text;
}

async function headOf({ images, protocol }: EvaluationReport): Promise<Html> {
  const policy = [
    "default-src 'none'",
    "img-src data:",
    `style-src '${await digest(style)}'`,
    `script-src '${await digest(script)}'`,
  ].join("; ");
  return markup`<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>coda eval: ${counted(images, "image")} at ${protocol}</title>
<link rel="icon" href="data:,">
<style>${new Html(style)}</style>
</head>`;
}

function mainOf(content: PageContent): Html {
  const { report, quantizer, unshown, grids, meanPixels } = content;
  const parts = partsOf(content);
  return markup`<main>
${summary(report, quantizer, { meanPixels, grids })}
${unshownText(unshown)}
<nav aria-label="Parts of this page">
${parts.map(link)}</nav>
<noscript><p class="warning">Without scripts this page has its figures, and each picture once: the one
from all scales stands as “tokens”. It has neither the slider nor the grids of tokens.</p></noscript>
${parts.map(({ section }) => markup`${section}\n`)}</main>`;
}

function link({ id, name, isFilled }: Part): Html {
  return isFilled
    ? markup`<a href="#${id}" class="needs-script">${name}</a>\n`
    : markup`<a href="#${id}">${name}</a>\n`;
}

/** Tells of images that are not there. */
function unshownText(files: readonly string[]): Html {
  if (files.length === 0) return markup``;
  return markup`<p class="warning">Measured, but left out below, as the file could not be read again or
memory ran out: ${files.map(nameOf).join(", ")}.</p>`;
}

function footerOf({ config: { codebookSize } }: Quantizer): Html {
  return markup`<footer><p>Written by coda ${config.version}. A token takes
${bitsPerIndex(codebookSize)} bits, as in token files. Means are over images; that
of PSNR leaves out those that equal their originals.</p></footer>`;
}

/** By this a policy allows a script or a style that stands in the page. */
async function digest(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `sha256-${new Uint8Array(bytes).toBase64()}`;
}
