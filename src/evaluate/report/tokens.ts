import type { Quantizer } from "../../quantizer/mod.ts";
import { totals } from "./codebook.ts";
import type { ShownCodes } from "./codes.ts";
import { nameOf } from "./figures.ts";
import { type Html, jsonElement, markup } from "./html.ts";
import type { ShownImage } from "./show.ts";
import { SHEET_COLUMNS, SWATCH } from "./swatches.ts";

/** By what codes are near each other. */
const NEARNESS = {
  coda: "the L2 distance of their keys, which the quantizer multiplies a token’s query with: " +
    "codes whose keys are near have nearly the same logit",
  nearest: "their L2 distance, by which the quantizer chooses",
  multiscale: "their L2 distance, by which the quantizer chooses",
};

/** What a code adds to a latent. */
const SWATCH_OF = {
  coda: "this code",
  nearest: "this code",
  multiscale: "φ₀(this code), which the first scale’s φ makes of it,",
};

/** Images with their tokens' grids, and what is near a token's code; the page's script fills it. */
export function tokensSection({ config }: Quantizer, { swatches }: ShownCodes): Html {
  const drawn = swatches === undefined
    ? "There are too many codes here to draw each."
    : `A code’s picture is what the decoder makes of a latent that is ${
      SWATCH_OF[config.kind ?? "coda"]
    } everywhere.`;
  return markup`<section id="tokens" aria-labelledby="tokens-title" class="needs-script">
<h2 id="tokens-title">Tokens and nearest codes</h2>
<p>Choose a token by a click, or with the arrow keys when the grid has the focus. Where the same
code stands elsewhere in the scale is marked too. Codes are near by
${NEARNESS[config.kind ?? "coda"]}. ${drawn}</p>
<fieldset class="picker" data-part="picker"><legend>Image</legend></fieldset>
<div class="explorer"><div>
<div class="pair">
<label>scale <input type="range" min="1" value="1" step="1" data-part="scale"></label>
<output data-part="scale-text"></output>
<label>over <select data-part="under">
<option value="prefix">the image up to this scale</option>
<option value="original">the original</option>
<option value="discrete">the image from all tokens</option>
</select></label>
</div>
<div class="stage" data-part="stage"><img data-part="image" alt="">
<canvas data-part="grid" tabindex="0" role="application" aria-roledescription="grid of tokens"
aria-label="Grid of tokens: arrow keys move"></canvas></div>
</div>
<div class="code" data-part="code"><div data-part="chosen" aria-live="polite"></div>
<div data-part="near"></div></div></div>
</section>`;
}

/** What the page's scripts work on. */
export function pageData(
  images: readonly ShownImage[],
  { neighbours, swatches }: ShownCodes,
  counts: readonly Float64Array[],
): Html {
  const near = [...neighbours].map(([code, others]) => [
    code,
    others.flatMap(({ code, distance }) => [code, Number(distance.toPrecision(4))]),
  ]);
  return jsonElement("data", {
    images: images.map(imageData),
    counts: [...totals(counts)],
    neighbours: Object.fromEntries(near),
    swatches: swatches && { side: SWATCH, columns: SHEET_COLUMNS, ...swatches },
  });
}

function imageData({ group, image, size, grids, covered }: ShownImage) {
  return {
    name: nameOf(image.file),
    group,
    size: [size.width, size.height],
    psnr: { continuous: image.continuous.psnr, discrete: image.discrete.psnr },
    prefixes: image.prefixes.map(({ psnr }) => psnr),
    grids: grids.map(({ height, width }) => [height, width]),
    covered: [covered.width, covered.height],
    tokens: image.indices.map((scale) => [...scale]),
  };
}
