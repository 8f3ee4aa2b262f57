import { decibels } from "../quality_rows.ts";
import type { Group } from "./choose.ts";
import { AMPLIFICATION, errorColour, FULL_ERROR } from "./error_map.ts";
import { counted, nameOf } from "./figures.ts";
import { type Html, markup } from "./html.ts";
import { PICTURE_QUALITY, PICTURE_SIDE, type ShownImage } from "./show.ts";

/** The forms of an image on its card, by the names that the page's scripts know them by. */
const FORMS = [
  { key: "original", name: "original" },
  { key: "continuous", name: "continuous VAE" },
  { key: "discrete", name: "tokens" },
  { key: "continuousError", name: "error of the VAE" },
  { key: "discreteError", name: "error of tokens" },
] as const;

const GROUPS: readonly (readonly [Group, title: string])[] = [
  ["worst", "Worst, by PSNR from tokens"],
  ["between", "Between, drawn by name and not by quality"],
  ["best", "Best, by PSNR from tokens"],
];

/** What the section is called: one image is neither the worst nor the best. */
export function galleryName(images: readonly ShownImage[]): string {
  return images.length === 1 ? "the image" : "worst and best";
}

/** The images that are shown, each with its figures and error maps. */
export function gallerySection(images: readonly ShownImage[]): Html {
  return markup`<section id="images" aria-labelledby="images-title">
<h2 id="images-title">${images.length === 1 ? "The image" : "Worst and best"}</h2>
<p>Error maps show, for each pixel, how far red, green and blue are from the original in the mean,
amplified ${AMPLIFICATION} times: ${FULL_ERROR} of 255 levels and more have the brightest colour.
Errors and all figures are of the exact pixels.</p>
${legend()}
${
    images.length === 1
      ? cards([...images.entries()])
      : GROUPS.map(([group, title]) => groupOf(images, group, title))
  }
<p class="note">Photographs are embedded as WebP of quality ${PICTURE_QUALITY}, error maps without
loss, both with at most ${PICTURE_SIDE} pixels a side.</p>
</section>`;
}

function groupOf(images: readonly ShownImage[], group: Group, title: string): Html {
  const own = [...images.entries()].filter(([, image]) => image.group === group);
  if (own.length === 0) return markup``;
  return markup`<h3>${title}</h3>
${cards(own)}`;
}

function cards(images: readonly [number, ShownImage][]): Html {
  return markup`<div class="cards">${images.map(([number, image]) => card(image, number))}</div>`;
}

function card(shown: ShownImage, number: number): Html {
  const { continuous, discrete } = shown.image;
  const name = nameOf(shown.image.file);
  const lpips = (value: number | undefined) =>
    value === undefined ? "" : `, LPIPS ${value.toFixed(4)}`;
  return markup`<article class="card">
${FORMS.map(({ key, name }) => form(shown, number, key, name))}
<div class="card-text"><h4>${name}</h4>
<p><strong>${decibels(discrete.psnr)}</strong> from tokens,
SSIM ${discrete.ssim.toFixed(4)}${lpips(discrete.lpips)}<br>
${decibels(continuous.psnr)} continuous,
SSIM ${continuous.ssim.toFixed(4)}${lpips(continuous.lpips)}</p>
${changeText(shown.changed)}
<button type="button" class="needs-script" data-compare="${number}"
aria-label="${name} side by side">side by side</button></div>
</article>`;
}

function form(
  { image, pictures, size }: ShownImage,
  number: number,
  key: typeof FORMS[number]["key"],
  name: string,
): Html {
  return markup`<figure><img src="${pictures[key]}" width="${size.width}" height="${size.height}"
data-image="${number}" data-form="${key}" alt="${nameOf(image.file)}: ${name}">
<figcaption>${name}</figcaption></figure>`;
}

function changeText(changed: number): Html {
  if (changed === 0) return markup``;
  return markup`<p class="warning">${counted(changed, "token")} of it ${
    changed === 1 ? "is another" : "are others"
  } now than when it was measured: on
another adapter, or the file has changed.</p>`;
}

/** The colours of errors. */
function legend(): Html {
  const steps = 32;
  const stops = Array.from({ length: steps + 1 }, (_, i) => {
    const colour = errorColour(i / steps * FULL_ERROR).join(",");
    return markup`<stop offset="${i / steps}" stop-color="rgb(${colour})"/>`;
  });
  const ticks = [0, 1, 2, 3, 4].map((i) => {
    const anchor = i === 0 ? "" : i === 4 ? "end" : "mid";
    const value = i * FULL_ERROR / 4;
    return markup`<text class="tick ${anchor}" x="${1 + i * 79.5}" y="29">${
      i === 4 ? `≥ ${value}` : value
    }</text>`;
  });
  return markup`<svg class="legend" viewBox="0 0 320 34" role="img"
aria-label="Colours of errors, from 0, nearly black, to ${FULL_ERROR} levels, nearly white">
<defs><linearGradient id="errors">${stops}</linearGradient></defs>
<rect x="1" y="1" width="318" height="14" fill="url(#errors)"/>${ticks}</svg>`;
}
