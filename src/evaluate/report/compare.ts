import { type Html, markup } from "./html.ts";

/**
 * Two forms of an image over one another, with a slider; the page's script fills it. The slider goes as finely
 * as the pointer, and with a key by a hundredth or a tenth of its way.
 */
export function compareSection(): Html {
  return markup`<section id="compare" aria-labelledby="compare-title" class="needs-script">
<h2 id="compare-title">Side by side</h2>
<p>Drag across the image, or use the arrow keys on the slider.</p>
<fieldset class="picker" data-part="picker"><legend>Image</legend></fieldset>
<div class="explorer"><div>
<div class="pair">
<label>left <select data-part="left"></select></label>
<label>right <select data-part="right"></select></label>
</div>
<div class="stage" data-part="stage">
<img data-part="under" alt=""><img data-part="over" alt="">
<span class="divider" aria-hidden="true"></span>
<input type="range" min="0" max="100" step="any" value="50" data-part="slider"
aria-label="Where the left image ends">
</div></div>
<div class="caption" data-part="caption" aria-live="polite"></div></div>
</section>`;
}
