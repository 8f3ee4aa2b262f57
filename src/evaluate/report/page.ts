import config from "../../../deno.json" with { type: "json" };
import { script, style } from "../../../page/mod.ts";
import type { Quantizer } from "../../quantizer/mod.ts";
import { bitsPerIndex } from "../../tokens/tokens.ts";
import type { EvaluationReport } from "../evaluate.ts";
import { codebookSection } from "./codebook.ts";
import type { ShownCodes } from "./codes.ts";
import { compareSection } from "./compare.ts";
import { gallerySection } from "./gallery.ts";
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
  /** Their codes. */
  readonly codes: ShownCodes;
  /** How often each scale chose each code. */
  readonly counts: readonly Float64Array[];
  /** The pixels of an image in the mean. */
  readonly meanPixels: number;
}

const PARTS = [
  ["compare", "side by side"],
  ["images", "worst and best"],
  ["scales", "scales"],
  ["rate", "rate"],
  ["codebook", "codebook"],
  ["tokens", "tokens"],
] as const;

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
<title>coda eval: ${images} images at ${protocol}</title>
<link rel="icon" href="data:,">
<style>${new Html(style)}</style>
</head>`;
}

function mainOf({ report, quantizer, images, codes, counts, meanPixels }: PageContent): Html {
  return markup`<main>
${summary(report, quantizer, meanPixels)}
<nav aria-label="Parts of this page">
${PARTS.map(([id, name]) => markup`<a href="#${id}">${name}</a>\n`)}</nav>
<noscript><p class="warning">Without scripts this page has its figures and images, but neither the
slider nor the tokens.</p></noscript>
${compareSection()}
${gallerySection(images)}
${scalesSection(images)}
${rateSection(report, meanPixels)}
${codebookSection(report, quantizer, counts)}
${tokensSection(quantizer, codes)}
</main>`;
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
