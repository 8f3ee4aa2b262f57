import { nameOf } from "./figures.ts";
import { type Html, markup } from "./html.ts";
import type { ShownImage } from "./show.ts";

/** The images after each scale. */
export function scalesSection(images: readonly ShownImage[]): Html {
  return markup`<section id="scales" aria-labelledby="scales-title">
<h2 id="scales-title">After each scale</h2>
<p>Each image from its first 1, 2, … scales: coarse to fine, all of the same size. PSNR in dB.</p>
${images.map((image, number) => strip(image, number))}
</section>`;
}

function strip({ image, pictures, size }: ShownImage, number: number): Html {
  const name = nameOf(image.file);
  const qualities = [...image.prefixes, image.discrete];
  const all = qualities.length;
  const figures = qualities.map(({ psnr }, i) => {
    const scales = i + 1;
    // The last one is embedded already: the page's script copies it.
    const source = scales < all
      ? markup`src="${pictures.prefixes[i]}" data-image="${number}" data-form="${scales}"`
      : markup`class="needs-script" data-copy="${number}"`;
    return markup`<figure><img ${source} width="${size.width}" height="${size.height}"
alt="${name} from ${scales} of ${all} scales">
<figcaption>${scales === 1 ? "1" : `1–${scales}`}<br>
<strong>${psnr === null ? "equal" : psnr.toFixed(1)}</strong></figcaption></figure>`;
  });
  return markup`<h3 class="strip-name">${name}</h3>
<div class="strip" tabindex="0" role="region" aria-label="${name} after each scale">${figures}</div>`;
}
