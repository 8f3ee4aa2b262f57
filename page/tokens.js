// An image with the grid of a scale's tokens: each one's code, and what is near it.
import { element, fillPicker, part, pictureOf } from "./elements.js";
import { boxOf, cellAt, movedBy, pairsOf } from "./grid.js";

/** Makes the section work. */
export function tokens(section, data) {
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
    const where = `scale ${scale.value}, row ${at.cell.row + 1}, column ${at.cell.column + 1}`;
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
    stage.style.aspectRatio = `${image.size[0]} / ${image.size[1]}`;
    part(section, "scale-text").textContent =
      `${scale.value} of ${image.grids.length}: ${rows}×${columns} tokens`;
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
  return `${counts[code].toLocaleString("en-US")}×`;
}

/** What is known of a code. */
function codeText(code, where, data, sheet) {
  const total = data.counts.reduce((sum, n) => sum + n, 0);
  const share = (100 * data.counts[code] / total).toFixed(2);
  const used = `used ${usedText(code, data)}, ${share} % of all tokens of the set`;
  return [
    element("p", { className: "where", textContent: where }),
    element("h3", {}, ...swatch(code, data.swatches, sheet, 3), `code ${code}`),
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
