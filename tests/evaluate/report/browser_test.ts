import {
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
} from "@std/assert";
import { join } from "@std/path";
import { saveImage } from "../../../src/data/mod.ts";
import { evaluate } from "../../../src/evaluate/mod.ts";
import type { Gpu } from "../../../src/gpu/mod.ts";
import { Tokenizer } from "../../../src/tokenizer.ts";
import { pattern, writeTokenizer } from "../../cli/tiny_tokenizer.ts";
import { withFolder } from "../../data/photos.ts";
import { BrowserPage, CHROMIUM } from "../../support/chromium.ts";
import { testGpu } from "../../support/gpu.ts";

async function writeReport(gpu: Gpu, folder: string, report: string): Promise<void> {
  await writeTokenizer(gpu, join(folder, "model"));
  using tokenizer = await Tokenizer.load(join(folder, "model"), { gpu });
  const files = [0, 1, 2].map((i) => join(folder, `${i}.png`));
  for (const [i, file] of files.entries()) await saveImage(file, pattern(16, 12, 7 + i));
  await evaluate(tokenizer, files, { protocol: "original", report });
}

/** Where an element lies in the window. */
async function boxOf(page: BrowserPage, found: string): Promise<number[]> {
  const box = "(({ x, y, width, height }) => [x, y, width, height])";
  return await page.run(`${box}(${found}.getBoundingClientRect())`) as number[];
}

const SVG = { headers: { "content-type": "image/svg+xml" } };

/** A page that asks a server for a picture, as a report must not. */
const ASKING = (address: string) => `<!doctype html><img src="${address}">`;

Deno.test({
  name: "BrowserPage: tells of a request, and of what an expression throws",
  ignore: CHROMIUM === undefined,
  fn: () =>
    withFolder(async (folder) => {
      await using server = Deno.serve(
        { port: 0, hostname: "127.0.0.1", onListen: () => {} },
        () => new Response("<svg xmlns='http://www.w3.org/2000/svg'/>", SVG),
      );
      const address = `http://127.0.0.1:${server.addr.port}/picture.svg`;
      const file = join(folder, "asking.html");
      await Deno.writeTextFile(file, ASKING(address));
      await using page = await BrowserPage.open(CHROMIUM!, file);
      assertEquals(page.complaints, [`asks for ${address}`]);
      await assertRejects(() => page.run("missing.name"), Error, "missing is not defined");
    }),
});

Deno.test({
  name: "report: slider, choices and tokens in a browser, where there is one",
  ignore: CHROMIUM === undefined || Deno.env.get("CODA_NO_GPU") === "1",
  sanitizeOps: false, // the shared device outlives the test
  sanitizeResources: false,
  fn: () =>
    withFolder(async (folder) => {
      const report = join(folder, "report.html");
      await writeReport(await testGpu(), folder, report);
      await using page = await BrowserPage.open(CHROMIUM!, report);
      const text = (part: string) =>
        page.run(`document.querySelector('${part}').innerText`) as Promise<string>;

      assertEquals(await page.run("document.documentElement.scrollWidth <= innerWidth"), true);
      assertEquals(await page.run("[...document.images].every((i) => i.naturalWidth > 0)"), true);

      const slider = "document.querySelector('#compare [data-part=slider]')";
      await page.run(`${slider}.focus()`);
      await page.press("ArrowRight");
      const stage = "document.querySelector('#compare [data-part=stage]')";
      const divider = () => page.run(`${stage}.style.getPropertyValue("--at")`);
      assertEquals(await divider(), "51%");
      await page.press("PageUp");
      assertEquals(await divider(), "61%");
      await page.run(`${stage}.scrollIntoView({ block: "center" })`);
      const [left, top, width, height] = await boxOf(page, stage);
      for (const share of [0.03, 0.4, 0.97]) {
        await page.click(left + share * width, top + height / 2);
        const pixels = parseFloat(await divider() as string) / 100 * width;
        assertAlmostEquals(pixels, share * width, 1);
      }

      const caption = "#compare [data-part=caption]";
      const first = await text(caption);
      assertMatch(first, /Left: original\s+Right: all tokens, [\d.]+ dB/);
      await page.run(`document.querySelector('[data-compare="2"]').click()`);
      assertNotEquals(await text(caption), first);

      const grid = "document.querySelector('#tokens [data-part=grid]')";
      await page.run(`${grid}.scrollIntoView({ block: "center" })`);
      const box = await boxOf(page, grid);
      await page.run(`(() => {
        const scale = document.querySelector('#tokens [data-part=scale]');
        scale.value = scale.max;
        scale.dispatchEvent(new Event("input"));
      })()`);
      await page.click(box[0] + box[2] * 0.9, box[1] + box[3] * 0.1);
      const data = await page.run("JSON.parse(document.getElementById('data').textContent)") as {
        images: { grids: number[][]; tokens: number[][] }[];
        counts: number[];
      };
      const { grids, tokens } = data.images[0];
      const [rows, columns] = grids[2];
      const code = "#tokens [data-part=code]";
      const last = tokens[2][columns - 1];
      assertEquals(rows * columns, tokens[2].length);
      assertMatch(
        await text(code),
        new RegExp(`scale 3, row 1, column ${columns}\\s+code ${last}\\s`),
      );
      assertMatch(await text(code), new RegExp(`used ${data.counts[last]}×`));
      await page.press("ArrowDown");
      const below = tokens[2][2 * columns - 1];
      assertMatch(await text(code), new RegExp(`row 2, column ${columns}\\s+code ${below}\\s`));
      assertEquals(page.complaints, []);
    }),
});
