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
    part(section, "code").replaceChildren(...codeText(codeNow(), where, data, sheet));
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

/** Draws the grid, the chosen token, and the others of its code. */
function drawGrid(canvas, image, grid, codes, code, chosen) {
  const { width, height } = canvas.getBoundingClientRect();
  const density = globalThis.devicePixelRatio;
  [canvas.width, canvas.height] = [width, height].map((n) => Math.round(n * density));
  const context = canvas.getContext("2d");
  context.scale(density, density);
  const outline = (cell, colour, line) => {
    const box = boxOf(cell, grid, image.covered);
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.strokeRect(box.x * width, box.y * height, box.width * width, box.height * height);
  };
  codes.forEach((other, i) => {
    const cell = { row: Math.floor(i / grid[1]), column: i % grid[1] };
    const box = boxOf(cell, grid, image.covered);
    if (other === code && (cell.row !== chosen.row || cell.column !== chosen.column)) {
      context.fillStyle = "rgb(255 214 0 / 45%)";
      context.fillRect(box.x * width, box.y * height, box.width * width, box.height * height);
    }
    outline(cell, "rgb(255 255 255 / 28%)", 1);
  });
  outline(chosen, "#000", 5);
  outline(chosen, "#ffd600", 2.5);
}

/** What is known of a code. */
function codeText(code, where, data, sheet) {
  const total = data.counts.reduce((sum, n) => sum + n, 0);
  const used = (code) => `${data.counts[code].toLocaleString("en-US")}×`;
  const share = (100 * data.counts[code] / total).toFixed(2);
  const near = pairsOf(data.neighbours[code]);
  const row = (...cells) => {
    const [first, ...others] = cells;
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, element("span", { className: "named" }, ...first)),
      ...others.map((cell) => element("td", { textContent: cell })),
    );
  };
  const head = element(
    "tr",
    {},
    ...["nearest codes", "distance", "used"].map((name) =>
      element("th", { scope: "col", textContent: name })
    ),
  );
  return [
    element("p", { className: "where", textContent: where }),
    element("h3", {}, ...swatch(code, data.swatches, sheet, 3), `code ${code}`),
    element("p", { textContent: `used ${used(code)}, ${share} % of all tokens of the set` }),
    element(
      "table",
      {},
      element("thead", {}, head),
      element(
        "tbody",
        {},
        ...near.map(({ code: other, distance }) =>
          row(
            [...swatch(other, data.swatches, sheet, 2), String(other)],
            distance.toPrecision(3),
            used(other),
          )
        ),
      ),
    ),
  ];
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
