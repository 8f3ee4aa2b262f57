// Generated from the style and the scripts in this folder by `deno task page`. Do not edit.

/** The style of an evaluation's page. */
export const style: string = `:root {
  color-scheme: light dark;
  --back: #fbfaf7;
  --card: #fff;
  --text: #1e1c19;
  --quiet: #645e55;
  --line: #ddd7cc;
  --tokens: #b23a12;
  --continuous: #2a66a8;
}

@media (prefers-color-scheme: dark) {
  :root {
    --back: #151412;
    --card: #1f1d1a;
    --text: #ece8e0;
    --quiet: #a59e92;
    --line: #3a3630;
    --tokens: #f4905f;
    --continuous: #86b8ee;
  }
}

* {
  box-sizing: border-box;
}

html {
  -webkit-text-size-adjust: 100%;
  scroll-padding-top: 3.5rem;
}

body {
  margin: 0;
  background: var(--back);
  color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}

main,
footer {
  max-width: 70rem;
  margin: 0 auto;
  padding: 0 1rem;
}

h1 {
  margin: 0 0 1.25rem;
  font-size: clamp(1.5rem, 1.1rem + 2vw, 2.4rem);
  line-height: 1.15;
  letter-spacing: -0.02em;
  text-wrap: balance;
}

h2 {
  margin: 0 0 0.5rem;
  font-size: 1.4rem;
  letter-spacing: -0.01em;
}

h3 {
  margin: 1.5rem 0 0.5rem;
  font-size: 1rem;
}

h4 {
  margin: 0;
  font-size: 0.95rem;
  overflow-wrap: anywhere;
}

p {
  max-width: 44rem;
  margin: 0 0 1rem;
}

section {
  padding: 2.5rem 0 0.5rem;
}

figure {
  margin: 0;
}

img {
  display: block;
  max-width: 100%;
  height: auto;
}

:focus-visible {
  outline: 3px solid var(--continuous);
  outline-offset: 2px;
}

code {
  font: 0.9em ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace;
}

.kicker {
  margin: 2rem 0 0.25rem;
  color: var(--tokens);
  font: 600 0.85rem ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace;
}

.note,
footer {
  color: var(--quiet);
  font-size: 0.875rem;
}

footer {
  padding-top: 1.5rem;
  padding-bottom: 2rem;
}

.warning {
  padding: 0.5rem 0.75rem;
  border-left: 4px solid var(--tokens);
  background: var(--card);
}

html:not(.scripted) .needs-script {
  display: none;
}

/* The header. */

.tiles {
  display: grid;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 9.5rem), 1fr));
  gap: 0.75rem;
  margin: 0 0 1.5rem;
  padding: 0;
  list-style: none;
}

.tiles li {
  display: flex;
  flex-direction: column;
  padding: 0.75rem 0.9rem;
  border: 1px solid var(--line);
  border-radius: 0.6rem;
  background: var(--card);
}

.tile-name,
.tile-beside {
  color: var(--quiet);
  font-size: 0.85rem;
  line-height: 1.35;
}

.tiles strong {
  font-size: 1.6rem;
  line-height: 1.3;
  letter-spacing: -0.02em;
  font-variant-numeric: tabular-nums;
}

.columns {
  display: grid;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr));
  gap: 1rem 2.5rem;
  align-items: start;
}

.facts {
  margin: 0;
}

.facts div {
  display: grid;
  grid-template-columns: 8rem 1fr;
  gap: 0.75rem;
  padding: 0.4rem 0;
  border-bottom: 1px solid var(--line);
}

.facts dt {
  color: var(--quiet);
}

.facts dd {
  margin: 0;
  min-width: 0;
  overflow-wrap: anywhere;
}

nav {
  position: sticky;
  top: 0;
  z-index: 3;
  display: flex;
  gap: 1.1rem;
  margin: 1.5rem -1rem 0;
  padding: 0.6rem 1rem;
  overflow-x: auto;
  border-bottom: 1px solid var(--line);
  background: var(--back);
  white-space: nowrap;
}

nav a {
  color: var(--text);
  text-decoration-color: var(--line);
  text-underline-offset: 0.25em;
}

/* Tables. */

.scroll {
  overflow-x: auto;
}

table {
  width: 100%;
  border-collapse: collapse;
  font-variant-numeric: tabular-nums;
}

th,
td {
  padding: 0.4rem 0.6rem;
  border-bottom: 1px solid var(--line);
  text-align: right;
  vertical-align: top;
}

thead th {
  color: var(--quiet);
  font-size: 0.85rem;
  font-weight: 500;
}

th:first-child {
  padding-left: 0;
  text-align: left;
}

tbody th {
  font-weight: 600;
}

.figure,
td,
tbody th {
  white-space: nowrap;
}

@media (max-width: 34rem) {
  table {
    font-size: 0.875rem;
  }

  th,
  td {
    padding: 0.35rem 0.3rem;
  }

  thead th {
    font-size: 0.78rem;
  }
}

.off th,
.off td {
  white-space: normal;

  color: var(--quiet);
  font-weight: 400;
}

.off td {
  font-size: 0.85rem;
  text-align: left;
}

/* Side by side, and tokens. */

fieldset {
  min-width: 0;
  margin: 0 0 1rem;
  padding: 0;
  border: 0;
}

legend {
  padding: 0;
  color: var(--quiet);
  font-size: 0.85rem;
}

.picker {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 0.4rem 1.5rem;
}

.picker .group {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 0.4rem;
}

.picker .group span {
  width: 4rem;
  color: var(--quiet);
  font-size: 0.85rem;
}

.picker label {
  position: relative;
  cursor: pointer;
}

.picker input {
  position: absolute;
  opacity: 0;
}

.picker img {
  width: 3.25rem;
  height: 3.25rem;
  border: 3px solid transparent;
  border-radius: 0.5rem;
  object-fit: cover;
}

.picker input:checked + img {
  border-color: var(--tokens);
}

.picker input:focus-visible + img {
  outline: 3px solid var(--continuous);
}

.pair {
  display: flex;
  flex-wrap: wrap;
  gap: 0.5rem 1.25rem;
  align-items: center;
  margin: 0 0 0.75rem;
}

.pair label {
  display: flex;
  gap: 0.4rem;
  align-items: center;
  max-width: 100%;
}

select,
button {
  min-width: 0;
  min-height: 2.25rem;
  padding: 0.25rem 0.6rem;
  border: 1px solid var(--line);
  border-radius: 0.4rem;
  background: var(--card);
  color: inherit;
  font: inherit;
  font-size: 0.9rem;
}

button {
  cursor: pointer;
}

input[type="range"] {
  accent-color: var(--tokens);
}

.stage {
  --at: 50%;
  position: relative;
  width: min(100%, 40rem);
  overflow: hidden;
  border-radius: 0.5rem;
  background: var(--line);
  user-select: none;
}

.stage img,
.stage canvas,
.stage input {
  position: absolute;
  inset: 0;
  width: 100%;
  height: 100%;
}

.stage [data-part="over"] {
  clip-path: inset(0 calc(100% - var(--at)) 0 0);
}

.stage canvas {
  cursor: crosshair;
}

.stage canvas:focus-visible {
  outline-offset: -3px;
}

.stage .divider {
  position: absolute;
  top: 0;
  bottom: 0;
  left: var(--at);
  width: 2px;
  margin-left: -1px;
  background: #fff;
  box-shadow: 0 0 0 1px rgb(0 0 0 / 45%);
}

.stage .divider::after {
  content: "";
  position: absolute;
  top: 50%;
  left: 50%;
  width: 2rem;
  height: 2rem;
  margin: -1rem;
  border: 2px solid #fff;
  border-radius: 50%;
  background: rgb(0 0 0 / 35%);
  box-shadow: 0 0 0 1px rgb(0 0 0 / 45%);
}

/* As wide as it takes for the middle of the thumb to lie below the pointer everywhere. */
.stage input {
  --thumb: 2rem;
  left: calc(var(--thumb) / -2);
  width: calc(100% + var(--thumb));
  margin: 0;
  appearance: none;
  opacity: 0;
  cursor: ew-resize;
  touch-action: pan-y;
}

.stage input::-webkit-slider-thumb {
  width: var(--thumb);
  height: 100%;
  appearance: none;
}

.stage input::-moz-range-thumb {
  width: var(--thumb);
  height: 100%;
  border: 0;
}

.stage:has(input:focus-visible) {
  outline: 3px solid var(--continuous);
  outline-offset: 2px;
}

.caption h3 {
  margin-top: 0;
  overflow-wrap: anywhere;
}

.caption p {
  margin: 0 0 0.4rem;
}

.explorer {
  display: grid;
  grid-template-columns: minmax(0, 1fr);
  gap: 1rem 2rem;
}

@media (min-width: 52rem) {
  .explorer {
    grid-template-columns: minmax(0, 3fr) minmax(0, 2fr);
  }
}

.code h3 {
  display: flex;
  gap: 0.75rem;
  align-items: center;
  margin: 0 0 0.5rem;
  font-size: 1.3rem;
}

.code p {
  margin: 0 0 0.75rem;
}

.code .where {
  margin: 0 0 0.25rem;
  color: var(--quiet);
  font-size: 0.875rem;
}

.code td,
.code th {
  vertical-align: middle;
}

.code .named {
  display: flex;
  gap: 0.6rem;
  align-items: center;
}

.swatch {
  border: 1px solid var(--line);
  border-radius: 0.3rem;
}

/* Images. */

.legend {
  display: block;
  width: min(100%, 22rem);
}

.cards {
  display: grid;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 30rem), 1fr));
  gap: 1rem;
}

.card {
  display: grid;
  grid-template-columns: repeat(3, minmax(0, 1fr));
  gap: 0.5rem;
  padding: 0.75rem;
  border: 1px solid var(--line);
  border-radius: 0.6rem;
  background: var(--card);
}

.card figure:nth-of-type(4) {
  grid-column: 2;
}

.card-text {
  grid-column: 1;
  grid-row: 2;
  min-width: 0;
  font-size: 0.875rem;
  line-height: 1.4;
}

@media (max-width: 34rem) {
  .card-text {
    grid-column: 1 / -1;
    grid-row: 3;
  }
}

figcaption {
  color: var(--quiet);
  font-size: 0.78rem;
  line-height: 1.35;
}

.card img,
.strip img {
  width: 100%;
  border-radius: 0.25rem;
}

.card-text p {
  margin: 0 0 0.5rem;
  font-variant-numeric: tabular-nums;
}

.strip-name {
  margin: 1rem 0 0.35rem;
  font-size: 0.875rem;
  font-weight: 500;
  overflow-wrap: anywhere;
}

.strip {
  display: grid;
  grid-auto-flow: column;
  grid-auto-columns: minmax(5.5rem, 1fr);
  gap: 0.5rem;
  overflow-x: auto;
  padding-bottom: 0.4rem;
}

.strip strong {
  color: var(--text);
  font-variant-numeric: tabular-nums;
}

/* Charts. */

.charts {
  display: grid;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr));
  gap: 1rem 2rem;
  align-items: start;
  margin: 0 0 1rem;
}

.chart {
  display: block;
  width: 100%;
  max-width: 40rem;
}

svg text {
  fill: var(--quiet);
  font: 11px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}

svg .mid {
  text-anchor: middle;
}

svg .end {
  text-anchor: end;
}

.grid {
  stroke: var(--line);
}

.axis {
  stroke: var(--quiet);
}

.curve {
  fill: none;
  stroke: var(--tokens);
  stroke-width: 2;
}

.dot {
  fill: var(--tokens);
}

.hit {
  fill: transparent;
}

svg .name {
  fill: var(--text);
}

.area {
  fill: var(--tokens);
  opacity: 0.75;
}

.ceiling {
  stroke: var(--continuous);
  stroke-dasharray: 5 4;
  stroke-width: 1.5;
}

svg .ceiling-name {
  fill: var(--continuous);
}

.bar {
  display: block;
  width: 100%;
  min-width: 2.5rem;
  height: 4px;
  margin-top: 0.2rem;
}

.bar-all {
  fill: var(--line);
}

.bar-part {
  fill: var(--tokens);
}
`;

/** Its script. */
export const script: string = `"use strict";
(() => {
// Where the tokens of a scale lie on a picture. Places are shares of the picture, from 0 to 1.

/**
 * The row and column of a place; those of the nearest cell where it lies beyond.
 *
 * @param {{ x: number, y: number }} place
 * @param {[rows: number, columns: number]} grid
 * @param {[width: number, height: number]} covered What the grid covers: more than the picture where
 * that was filled up.
 */
function cellAt({ x, y }, [rows, columns], [width, height]) {
  const inside = (n, count) => Math.min(Math.max(Math.floor(n), 0), count - 1);
  return {
    row: inside(y / height * rows, rows),
    column: inside(x / width * columns, columns),
  };
}

/**
 * The part of the picture that a cell covers.
 *
 * @param {{ row: number, column: number }} cell
 * @param {[rows: number, columns: number]} grid
 * @param {[width: number, height: number]} covered
 */
function boxOf({ row, column }, [rows, columns], [width, height]) {
  const [w, h] = [width / columns, height / rows];
  return { x: column * w, y: row * h, width: w, height: h };
}

/**
 * The cell that a key leads to; undefined for a key that leads nowhere.
 *
 * @param {{ row: number, column: number }} cell
 * @param {string} key
 * @param {[rows: number, columns: number]} grid
 */
function movedBy({ row, column }, key, [rows, columns]) {
  const steps = {
    ArrowUp: [-1, 0],
    ArrowDown: [1, 0],
    ArrowLeft: [0, -1],
    ArrowRight: [0, 1],
    Home: [0, -column],
    End: [0, columns - 1 - column],
  };
  const step = steps[key];
  if (step === undefined) return undefined;
  return {
    row: Math.min(Math.max(row + step[0], 0), rows - 1),
    column: Math.min(Math.max(column + step[1], 0), columns - 1),
  };
}

/**
 * The neighbours of a code out of the page's list of codes and distances in turn.
 *
 * @param {readonly number[]} list
 */
function pairsOf(list) {
  const pairs = [];
  for (let i = 0; i < list.length; i += 2) pairs.push({ code: list[i], distance: list[i + 1] });
  return pairs;
}

// What the scripts of the page share.

/** Makes an element. */
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** The part of a section that has a name. */
function part(section, name) {
  return section.querySelector(\`[data-part="\${name}"]\`);
}

/** The address of an image's picture in one of its forms. */
function pictureOf(image, form) {
  return document.querySelector(\`img[data-image="\${image}"][data-form="\${form}"]\`).src;
}

/** A PSNR in words; null is that of an image which equals its original. */
function decibels(psnr) {
  return psnr === null ? "equal" : \`\${psnr.toFixed(2)} dB\`;
}

const GROUP_NAMES = { worst: "Worst", between: "Between", best: "Best" };

/** Fills a fieldset with the images, one of which is chosen; returns how to choose another. */
function fillPicker(fieldset, images, onPick) {
  const name = \`image-of-\${fieldset.closest("section").id}\`;
  const groups = {};
  const inputs = images.map((image, i) => {
    if (!groups[image.group]) {
      const textContent = images.length > 1 ? GROUP_NAMES[image.group] : "";
      const title = element("span", { textContent });
      groups[image.group] = element("div", { className: "group" }, title);
      fieldset.append(groups[image.group]);
    }
    const input = element("input", { type: "radio", name, checked: i === 0 });
    const label = \`\${image.name}, \${decibels(image.psnr.discrete)}\`;
    const picture = element("img", { src: pictureOf(i, "original"), alt: label, title: label });
    input.addEventListener("change", () => onPick(i));
    groups[image.group].append(element("label", {}, input, picture));
    return input;
  });
  return (i) => {
    inputs[i].checked = true;
    onPick(i);
  };
}

// Two forms of an image over one another, with a slider.

/** Makes the section work. */
function compare(section, { images }) {
  const [left, right, slider, stage] = ["left", "right", "slider", "stage"].map((name) =>
    part(section, name)
  );
  let number = 0;

  const show = () => {
    const image = images[number];
    const shown = [[left, "over"], [right, "under"]].map(([select, place]) => {
      const form = formsOf(image).find(({ key }) => key === select.value);
      const picture = part(section, place);
      picture.src = pictureOf(number, form.key);
      picture.alt = \`\${image.name}: \${form.name}\`;
      return form.text;
    });
    stage.style.aspectRatio = \`\${image.size[0]} / \${image.size[1]}\`;
    part(section, "caption").replaceChildren(
      element("h3", { textContent: image.name }),
      element("p", { textContent: \`Left: \${shown[0]}\` }),
      element("p", { textContent: \`Right: \${shown[1]}\` }),
    );
  };
  const slide = () => {
    stage.style.setProperty("--at", \`\${slider.value}%\`);
    slider.setAttribute("aria-valuetext", \`\${Math.round(slider.value)} % from the left\`);
  };
  const pick = fillPicker(part(section, "picker"), images, (i) => {
    number = i;
    show();
  });

  for (const [select, value] of [[left, "original"], [right, "discrete"]]) {
    select.append(
      ...formsOf(images[0]).map(({ key, name }) =>
        element("option", { value: key, textContent: name, selected: key === value })
      ),
    );
    select.addEventListener("change", show);
  }
  slider.addEventListener("input", slide);
  for (const button of document.querySelectorAll("[data-compare]")) {
    button.addEventListener("click", () => {
      pick(Number(button.dataset.compare));
      section.scrollIntoView();
      slider.focus({ preventScroll: true });
    });
  }
  show();
  slide();
}

/** The forms that an image has, with their figures. */
function formsOf({ psnr, prefixes }) {
  const form = (key, name, decibel) => ({
    key,
    name,
    text: decibel === undefined ? name : \`\${name}, \${decibels(decibel)}\`,
  });
  return [
    form("original", "original"),
    form("continuous", "continuous VAE", psnr.continuous),
    form("discrete", "all tokens", psnr.discrete),
    ...prefixes.map((psnr, i) =>
      form(String(i + 1), i === 0 ? "first scale" : \`first \${i + 1} scales\`, psnr)
    ),
    form("continuousError", "error of continuous VAE"),
    form("discreteError", "error of all tokens"),
  ];
}

// An image with the grid of a scale's tokens: each one's code, and what is near it.

/** Makes the section work. */
function tokens(section, data) {
  const [scale, under, stage, canvas] = ["scale", "under", "stage", "grid"].map((name) =>
    part(section, name)
  );
  const sheet = sheetOf(data.swatches);
  const at = { image: 0, cell: { row: 0, column: 0 } };
  const imageNow = () => data.images[at.image];
  const gridNow = () => imageNow().grids[scale.value - 1];
  const codesNow = () => imageNow().tokens[scale.value - 1];
  const codeNow = () => codesNow()[at.cell.row * gridNow()[1] + at.cell.column];

  const draw = () => drawGrid(canvas, imageNow(), gridNow(), codesNow(), codeNow(), at.cell);
  const tell = () => {
    const where = \`scale \${scale.value}, row \${at.cell.row + 1}, column \${at.cell.column + 1}\`;
    part(section, "chosen").replaceChildren(...codeText(codeNow(), where, data, sheet));
    part(section, "near").replaceChildren(nearText(codeNow(), data, sheet));
    draw();
  };
  const show = () => {
    const image = imageNow();
    const [rows, columns] = gridNow();
    const isAll = Number(scale.value) === image.grids.length;
    const form = under.value !== "prefix" ? under.value : isAll ? "discrete" : scale.value;
    const picture = part(section, "image");
    picture.src = pictureOf(at.image, form);
    picture.alt = image.name;
    stage.style.aspectRatio = \`\${image.size[0]} / \${image.size[1]}\`;
    part(section, "scale-text").textContent =
      \`\${scale.value} of \${image.grids.length}: \${rows}×\${columns} tokens\`;
    at.cell = {
      row: Math.min(at.cell.row, rows - 1),
      column: Math.min(at.cell.column, columns - 1),
    };
    tell();
  };

  scale.max = data.images[0].grids.length;
  scale.value = Math.max(1, Math.min(scale.max, scale.max - 3));
  at.cell = { row: Math.floor(gridNow()[0] / 2), column: Math.floor(gridNow()[1] / 2) };
  fillPicker(part(section, "picker"), data.images, (i) => {
    at.image = i;
    show();
  });
  scale.addEventListener("input", show);
  under.addEventListener("change", show);
  canvas.addEventListener("click", (event) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const place = { x: (event.clientX - left) / width, y: (event.clientY - top) / height };
    at.cell = cellAt(place, gridNow(), imageNow().covered);
    tell();
  });
  canvas.addEventListener("keydown", (event) => {
    const cell = movedBy(at.cell, event.key, gridNow());
    if (cell === undefined) return;
    event.preventDefault();
    at.cell = cell;
    tell();
  });
  new ResizeObserver(draw).observe(canvas);
  sheet?.addEventListener("load", tell);
  show();
}

/** The sheet of the codes' pictures. */
function sheetOf(swatches) {
  return swatches && element("img", { src: swatches.sheet });
}

/** Pixels of a cell's side below which lines between cells would hide the picture. */
const LEAST_LINED = 6;

/** Draws the grid where its cells are not too small, the chosen token, and the others of its code. */
function drawGrid(canvas, image, grid, codes, code, chosen) {
  const { width, height } = canvas.getBoundingClientRect();
  const density = globalThis.devicePixelRatio;
  [canvas.width, canvas.height] = [width, height].map((n) => Math.round(n * density));
  const context = canvas.getContext("2d");
  context.scale(density, density);
  const boxAt = (i) => {
    const cell = { row: Math.floor(i / grid[1]), column: i % grid[1] };
    return pixelsOf(boxOf(cell, grid, image.covered), width, height);
  };
  const first = boxOf({ row: 0, column: 0 }, grid, image.covered);
  const isLined = Math.min(first.width * width, first.height * height) >= LEAST_LINED;
  const at = chosen.row * grid[1] + chosen.column;
  context.fillStyle = "rgb(255 214 0 / 45%)";
  context.strokeStyle = "rgb(255 255 255 / 28%)";
  codes.forEach((other, i) => {
    if (other === code && i !== at) context.fillRect(...boxAt(i));
    if (isLined) context.strokeRect(...boxAt(i));
  });
  outline(context, boxAt(at));
}

/** A part of a picture in its pixels; what lies beyond the picture is cut off. */
function pixelsOf({ x, y, width, height }, across, down) {
  const [left, top] = [x * across, y * down];
  const right = Math.min((x + width) * across, across);
  return [left, top, right - left, Math.min((y + height) * down, down) - top];
}

/** Marks the chosen token, within its cell; a cell smaller than the line is filled. */
function outline(context, [x, y, width, height]) {
  for (const [colour, line] of [["#000", 5], ["#ffd600", 2.5]]) {
    const inset = 2.5; // half of the wider line
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.strokeRect(
      x + inset,
      y + inset,
      Math.max(0, width - 2 * inset),
      Math.max(0, height - 2 * inset),
    );
  }
}

/** How often the set uses a code. */
function usedText(code, { counts }) {
  return \`\${counts[code].toLocaleString("en-US")}×\`;
}

/** What is known of a code. */
function codeText(code, where, data, sheet) {
  const total = data.counts.reduce((sum, n) => sum + n, 0);
  const share = (100 * data.counts[code] / total).toFixed(2);
  const used = \`used \${usedText(code, data)}, \${share} % of all tokens of the set\`;
  return [
    element("p", { className: "where", textContent: where }),
    element("h3", {}, ...swatch(code, data.swatches, sheet, 3), \`code \${code}\`),
    element("p", { textContent: used }),
  ];
}

/** A table of the codes near a code. */
function nearText(code, data, sheet) {
  const titles = ["nearest codes", "distance", "used"].map((name) =>
    element("th", { scope: "col", textContent: name })
  );
  const rows = pairsOf(data.neighbours[code]).map(({ code: other, distance }) => {
    const named = [...swatch(other, data.swatches, sheet, 2), String(other)];
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, element("span", { className: "named" }, ...named)),
      element("td", { textContent: distance.toPrecision(3) }),
      element("td", { textContent: usedText(other, data) }),
    );
  });
  return element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...titles)),
    element("tbody", {}, ...rows),
  );
}

/** A code's picture, so many times as large. */
function swatch(code, swatches, sheet, size) {
  if (!swatches) return [];
  const { side, columns, codes } = swatches;
  const number = codes.indexOf(code);
  const canvas = element("canvas", {
    className: "swatch",
    width: side * size,
    height: side * size,
  });
  canvas.setAttribute("aria-hidden", "true");
  const [x, y] = [number % columns * side, Math.floor(number / columns) * side];
  if (sheet.complete && number >= 0) {
    canvas.getContext("2d").drawImage(sheet, x, y, side, side, 0, 0, canvas.width, canvas.height);
  }
  return [canvas];
}

// Makes the page of an evaluation work. It has its figures and each image without this.

document.documentElement.classList.add("scripted");
const data = JSON.parse(document.getElementById("data").textContent);
for (const copy of document.querySelectorAll("img[data-copy]")) {
  copy.src = pictureOf(copy.dataset.copy, "discrete"); // it is embedded once
}
if (data.images.length > 0) {
  compare(document.getElementById("compare"), data);
  tokens(document.getElementById("tokens"), data);
}
})();
`;
