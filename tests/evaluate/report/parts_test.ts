import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { boxOf, cellAt, movedBy, pairsOf } from "../../../page/grid.js";
import type { MeasuredImage } from "../../../src/evaluate/measure.ts";
import { axisTo, linearAxis, logAxis } from "../../../src/evaluate/report/axes.ts";
import { Choice } from "../../../src/evaluate/report/choose.ts";
import { errorColour, errorMap } from "../../../src/evaluate/report/error_map.ts";
import { counted, modelName } from "../../../src/evaluate/report/figures.ts";
import { Grids } from "../../../src/evaluate/report/grids.ts";
import { Html, jsonElement, markup } from "../../../src/evaluate/report/html.ts";
import { neighboursOf } from "../../../src/evaluate/report/neighbours.ts";
import { shrunk } from "../../../src/evaluate/report/shrink.ts";
import { SHEET_COLUMNS, SWATCH, swatchSheet } from "../../../src/evaluate/report/swatches.ts";
import { CodaQuantizer, NearestQuantizer, type Quantizer } from "../../../src/quantizer/mod.ts";
import { Random } from "../../../src/tensor/mod.ts";
import { Tokenizer } from "../../../src/tokenizer.ts";
import { writeTokenizer } from "../../cli/tiny_tokenizer.ts";
import { withFolder } from "../../data/photos.ts";
import { flat, gpuTest } from "../../support/gpu.ts";

function measured(file: string, psnr: number | null): MeasuredImage {
  const quality = { psnr, ssim: 0.5 };
  const size = { width: 1, height: 1 };
  return {
    ...{ file, ...size, continuous: quality, discrete: quality },
    ...{ prefixes: [], indices: [], features: {} },
  };
}

Deno.test("Choice: the worst, the best and some between, whatever the order", () => {
  const images = Array.from({ length: 30 }, (_, i) => measured(`${i}.png`, i === 29 ? null : i));
  const chosenOf = (images: readonly MeasuredImage[]) => {
    const choice = new Choice();
    images.forEach((image) => choice.add(image));
    return choice.chosen().map(({ group, image }) => `${group} ${image.file}`);
  };
  const chosen = chosenOf(images);
  assertEquals(chosen.slice(0, 4), [0, 1, 2, 3].map((i) => `worst ${i}.png`));
  assertEquals(chosen.slice(8), [29, 28, 27, 26].map((i) => `best ${i}.png`));
  const between = chosen.slice(4, 8).map((text) => Number(/^between (\d+)/.exec(text)![1]));
  assert(between.every((i) => i > 3 && i < 26), between.join());
  assertEquals(between, between.toSorted((a, b) => a - b));
  assertEquals(chosenOf(images.toReversed()), chosen);
  // Of few images each is there once, and half of them are the worst.
  const few = (n: number) => chosenOf(images.slice(0, n)).map((text) => text[0]).join("");
  assertEquals([1, 2, 5, 8, 9].map(few), ["b", "wb", "wwbbb", "wwwwbbbb", "wwwwbbbbb"]);
  const equal = chosenOf([2, 0, 1].map((i) => measured(`${i}.png`, 7)));
  assertEquals(equal, ["worst 0.png", "best 2.png", "best 1.png"]);
});

Deno.test("errorMap: the mean error of each pixel, amplified and coloured", () => {
  const raster = (data: number[]) => ({ width: 3, height: 1, data: new Uint8Array(data) });
  const original = raster([0, 0, 0, 100, 100, 100, 255, 255, 255]);
  const map = errorMap(raster([0, 0, 0, 100, 112, 88, 0, 0, 0]), original, 9);
  assertEquals([map.width, map.height], [3, 1]);
  const pixels = [0, 1, 2].map((i) => [...map.data.subarray(3 * i, 3 * i + 3)]);
  assertEquals(pixels, [0, 8, 255].map((error) => [...errorColour(error)]));
  assertEquals(errorColour(64), errorColour(255));
  const brightness = Array.from({ length: 65 }, (_, error) => {
    const [r, g, b] = errorColour(error);
    return 0.299 * r + 0.587 * g + 0.114 * b;
  });
  assert(brightness.every((value, i) => i === 0 || value > brightness[i - 1]));
});

Deno.test("shrunk: the means of what a pixel covers, and the same where nothing is too large", () => {
  const image = { width: 4, height: 2, data: [1, 2, 3, 4, 5, 6, 7, 8] };
  assertEquals(shrunk(image, 1, 4), image);
  const { width, height, data } = shrunk(image, 1, 2);
  assertEquals([width, height, ...Array.from(data)], [2, 1, 3.5, 5.5]);
  const colours = shrunk({ width: 2, height: 2, data: [...Array(12).keys()] }, 3, 1);
  assertEquals(Array.from(colours.data), [4.5, 5.5, 6.5]);
});

Deno.test("axes: round numbers, and where numbers lie between them", () => {
  const linear = linearAxis([12.57, 24.61]);
  assertEquals(linear.ticks.map(({ value }) => value), [12.5, 15, 17.5, 20, 22.5, 25]);
  assertAlmostEquals(linear.place(20), 0.6, 1e-12);
  assertEquals(linearAxis([0.5]).ticks.map(({ value }) => value), [0.5, 0.6]);
  const log = logAxis([0.01, 1], 0);
  assertEquals(log.ticks.map(({ value }) => value), [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]);
  assertAlmostEquals(log.place(0.1), 0.5, 1e-12);
  const valuesOf = (values: number[]) => logAxis(values).ticks.map(({ value }) => value);
  assertEquals(valuesOf([0.14]), [0.13, 0.14, 0.15]);
  assertEquals(valuesOf([30, 21, 25]), [22.5, 25, 27.5, 30]);
  assertEquals(valuesOf([3, 3, 3]), [2.8, 3, 3.2]);
  for (let low = 0.013; low < 5000; low *= 1.37) {
    for (const ratio of [1, 1.01, 1.5, 2.1, 30, 4000]) {
      const { ticks } = logAxis([low, low * ratio]);
      assert(ticks.length > 1 && ticks.length < 12, `${low} to ${low * ratio}`);
      assert(ticks.every(({ place }) => place >= -1e-9 && place <= 1 + 1e-9));
    }
  }
  assertEquals(axisTo(1024).ticks.map(({ value }) => value), [0, 500, 1000]);
  assertEquals(axisTo(1024).place(512), 0.5);
  assertEquals(axisTo(2).ticks.map(({ value }) => value), [0, 1, 2]);
});

Deno.test("Grids: a scale's grid where all images agree", () => {
  const grids = new Grids();
  const square = (side: number) => ({ height: side, width: side });
  grids.add([square(1), square(2), { height: 3, width: 4 }]);
  assertEquals(grids.texts, ["1×1", "2×2", "3×4"]);
  grids.add([square(1), { height: 2, width: 3 }, { height: 3, width: 4 }]);
  grids.add([square(1), square(2), { height: 3, width: 4 }]);
  assertEquals(grids.texts, ["1×1", "varies", "3×4"]);
});

Deno.test("names of models: a file's own, and all of what the hub calls it", () => {
  const names = ["/home/me/vae.safetensors", "hf:owner/name@main", "the built-in VAE"];
  assertEquals(names.map(modelName), ["vae.safetensors", "hf:owner/name@main", "the built-in VAE"]);
  assertEquals([0, 1, 1234].map((n) => counted(n, "image")), [
    "0 images",
    "1 image",
    "1,234 images",
  ]);
});

Deno.test("markup escapes all but Html, in texts, attributes and data", () => {
  const name = `<i>"&'</i>`;
  const safe = "&lt;i&gt;&quot;&amp;&#39;&lt;/i&gt;";
  assertEquals(markup`<p title="${name}">${name}${7}</p>`.text, `<p title="${safe}">${safe}7</p>`);
  assertEquals(markup`${[new Html("<b>"), name]}`.text, `<b>${safe}`);
  const { text } = jsonElement("data", { name: "</script><script>" });
  assertEquals(text.match(/<\/script/g)?.length, 1);
  assertEquals(JSON.parse(/>(.*)</.exec(text)![1]), { name: "</script><script>" });
});

Deno.test("page/grid.js: cells of places, places of cells, and the way of the arrow keys", () => {
  const grid = [2, 4] as [number, number];
  const covered = [1.25, 1] as [number, number];
  assertEquals(cellAt({ x: 0.99, y: 0.6 }, grid, covered), { row: 1, column: 3 });
  assertEquals(cellAt({ x: -1, y: 9 }, grid, covered), { row: 1, column: 0 });
  for (let i = 0; i < 8; i++) {
    const cell = { row: Math.floor(i / 4), column: i % 4 };
    const { x, y, width, height } = boxOf(cell, grid, covered);
    assertEquals(cellAt({ x: x + width / 2, y: y + height / 2 }, grid, covered), cell);
  }
  const at = { row: 1, column: 2 };
  const to = (key: string) => Object.values(movedBy(at, key, grid) ?? {});
  assertEquals(["ArrowUp", "ArrowDown", "ArrowLeft", "End", "Home", "a"].map(to), [
    ...[[0, 2], [1, 2], [1, 1]],
    ...[[1, 3], [1, 0], []],
  ]);
  assertEquals(pairsOf([3, 0.5, 4, 0.75]), [
    { code: 3, distance: 0.5 },
    { code: 4, distance: 0.75 },
  ]);
});

gpuTest("neighboursOf: the nearest keys of CODA, the nearest codes of the others", async (gpu) => {
  const shape = { codebookSize: 40, channels: 4, patchSizes: [2], beta: 0.25 };
  using coda = new CodaQuantizer(gpu, { ...shape, attentionDim: 8, norm: "rms" });
  using nearest = new NearestQuantizer(gpu, { ...shape, kind: "nearest" });
  for (const quantizer of [coda, nearest] as Quantizer[]) {
    quantizer.parameters.initialize(new Random(3));
    using keys = quantizer.keys();
    const width = keys.shape[1];
    assertEquals(width, quantizer === coda ? 8 : 4);
    const rows = await keys.readF32();
    const distance = (a: number, b: number) =>
      Math.hypot(
        ...Array.from({ length: width }, (_, i) => rows[a * width + i] - rows[b * width + i]),
      );
    const found = await flat(gpu, () => neighboursOf(quantizer, [0, 7, 39], 5));
    [0, 7, 39].forEach((code, i) => {
      const others = [...Array(40).keys()].filter((other) => other !== code);
      const expected = others.toSorted((a, b) => distance(code, a) - distance(code, b)).slice(0, 5);
      assertEquals(found[i].map(({ code }) => code), expected);
      found[i].forEach((near) =>
        assertAlmostEquals(near.distance, distance(code, near.code), 1e-9)
      );
    });
  }
  assertEquals((await neighboursOf(nearest, [1], 99))[0].length, 39);
});

gpuTest(
  "swatchSheet: each code in its place, as the decoder draws it alone",
  (gpu) =>
    withFolder(async (folder) => {
      await writeTokenizer(gpu, folder);
      using tokenizer = await Tokenizer.load(folder, { gpu });
      const codes = [...Array(16).keys(), ...Array(16).keys(), 5];
      const sheet = await flat(gpu, () => swatchSheet(tokenizer, codes));
      assertEquals([sheet.width, sheet.height], [SHEET_COLUMNS * SWATCH, 2 * SWATCH]);
      const pixel = (number: number) => {
        const [x, y] = [
          number % SHEET_COLUMNS * SWATCH,
          Math.floor(number / SHEET_COLUMNS) * SWATCH,
        ];
        return [...sheet.data.subarray((y * sheet.width + x) * 3, (y * sheet.width + x) * 3 + 3)];
      };
      assertEquals(pixel(32), pixel(5));
      assertEquals(pixel(21), pixel(5));
      // Alone on a sheet a code looks the same.
      const alone = await swatchSheet(tokenizer, [5]);
      assertEquals([...alone.data.subarray(0, 3)], pixel(5));
      assert(new Set(codes.map((_, i) => pixel(i).join())).size > 8);

      const [stop, { vae }] = [new AbortController(), tokenizer];
      const { decode } = vae;
      let batches = 0;
      vae.decode = (latent) => {
        batches++;
        stop.abort();
        return decode.call(vae, latent);
      };
      const drawn = () => swatchSheet(tokenizer, codes, stop.signal);
      assertEquals((await assertRejects(drawn, DOMException)).name, "AbortError");
      assertEquals(batches, 1);
    }),
);
