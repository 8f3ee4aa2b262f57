import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { join } from "@std/path";
import { WriteError } from "../../../src/checkpoint/mod.ts";
import { loadImage, saveImage } from "../../../src/data/mod.ts";
import {
  evaluate,
  type EvaluateOptions,
  type EvaluationReport,
} from "../../../src/evaluate/mod.ts";
import type { Gpu } from "../../../src/gpu/mod.ts";
import { useOfCounts } from "../../../src/metrics/mod.ts";
import { Tokenizer } from "../../../src/tokenizer.ts";
import { RunError } from "../../../src/train/mod.ts";
import { AutoencoderKL } from "../../../src/vae/mod.ts";
import { Random } from "../../../src/tensor/mod.ts";
import { pattern, writeTokenizer } from "../../cli/tiny_tokenizer.ts";
import { withFolder } from "../../data/photos.ts";
import { flat, gpuTest } from "../../support/gpu.ts";
import { TINY_VAE } from "../../train/tiny.ts";

/** A name that is no name but a piece of a page, were it not escaped. */
const HOSTILE = `<img src=x onerror=alert(1)>&"'.png`;
const OFF = ["LPIPS: <b>not</b> in this test"];

/** What the page's scripts read. */
interface PageData {
  images: { name: string; group: string; grids: number[][]; tokens: number[][] }[];
  counts: number[];
  neighbours: Record<string, number[]>;
  swatches: { codes: number[]; side: number; columns: number; sheet: string };
}

/** Runs a test with a tiny tokenizer and the files of ten images. */
function withImages(
  name: string,
  test: (tokenizer: Tokenizer, files: string[], folder: string, gpu: Gpu) => Promise<void>,
) {
  gpuTest(name, (gpu) =>
    withFolder(async (folder) => {
      await writeTokenizer(gpu, join(folder, "model"));
      using tokenizer = await Tokenizer.load(join(folder, "model"), { gpu });
      const files = Array.from({ length: 10 }, (_, i) =>
        join(folder, i === 3 ? HOSTILE : `${i}.png`));
      for (const [i, file] of files.entries()) {
        await saveImage(file, pattern(i === 0 ? 13 : 16, i === 0 ? 17 : 12, 7 + i));
      }
      await test(tokenizer, files, folder, gpu);
    }));
}

function optionsOf(folder: string, more: EvaluateOptions = {}): EvaluateOptions {
  const judges = { networks: [], off: OFF, [Symbol.dispose]() {} };
  return { protocol: "original", judges, report: join(folder, "report.html"), ...more };
}

/** By scale, the grid of all images; "varies" where they differ. */
async function gridTexts(tokenizer: Tokenizer, files: readonly string[]): Promise<string[]> {
  const found: Set<string>[] = [];
  for (const file of files) {
    const { grids } = await tokenizer.encode(await loadImage(file));
    grids.forEach(({ height, width }, i) => (found[i] ??= new Set()).add(`${height}×${width}`));
  }
  return found.map((texts) => texts.size === 1 ? [...texts][0] : "varies");
}

const dataOf = (page: string): PageData =>
  JSON.parse(/<script type="application\/json" id="data">(.*)<\/script>/.exec(page)![1]);
/** The cells of a page's tables, row by row, in words. */
const rowsOf = (page: string) =>
  [...page.matchAll(/<tr.*?<\/tr>/gs)].map(([row]) =>
    [...row.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>/gs)].map(([, cell]) =>
      cell.replace(/<.*?>/gs, "").trim()
    )
  );

withImages(
  "report: a page with the numbers of the evaluation",
  async (tokenizer, files, folder, gpu) => {
    const parts: string[] = [];
    const onReport = (done: number, total: number) => parts.push(`${done}/${total}`);
    await tokenizer.encode(await loadImage(files[0])); // from now on it holds its keys
    const report = await flat(
      gpu,
      () => evaluate(tokenizer, files, optionsOf(folder, { onReport })),
    );
    const { report: _, ...plain } = optionsOf(folder, { byScale: true });
    assertEquals(report, await evaluate(tokenizer, files, plain));
    assertEquals([parts[0], parts.at(-1), parts.length], ["0/11", "11/11", 12]);
    const page = await Deno.readTextFile(join(folder, "report.html"));
    const rows = rowsOf(page).map((cells) => cells.join("|"));
    const { continuous, discrete, codebook, prefixes } = report;
    const expected = [
      `PSNR|${continuous.psnr!.toFixed(2)} dB|${discrete.psnr!.toFixed(2)} dB`,
      `SSIM|${continuous.ssim.toFixed(4)}|${discrete.ssim.toFixed(4)}`,
      "LPIPS|off: &lt;b&gt;not&lt;/b&gt; in this test",
      `VAE|–|–|${continuous.psnr!.toFixed(2)}|${continuous.ssim.toFixed(4)}`,
    ];
    for (const row of expected) assert(rows.includes(row), `${row} is not in\n${rows.join("\n")}`);
    const pixels = (13 * 17 + 9 * 16 * 12) / 10;
    for (const { scales, bitsPerPixel, psnr, ssim } of prefixes) {
      const bits = Math.round(bitsPerPixel * pixels).toLocaleString("en-US");
      assert(rows.some((row) =>
        row.startsWith(`${scales}|${bits}|`) &&
        row.endsWith(`|${psnr!.toFixed(2)}|${ssim.toFixed(4)}`)
      ));
    }
    const grids = await gridTexts(tokenizer, files);
    assertEquals(grids, ["2×2", "varies", "varies"]);
    codebook.scales.forEach(({ used, perplexity }, i) => {
      const use = `${(100 * used).toFixed(1)} %|${perplexity.toFixed(1)}`;
      assert(rows.some((row) => row.startsWith(`${i + 1}|${grids[i]}|${use}|`)));
    });
    const { counts } = dataOf(page);
    const { used, perplexity } = codebook;
    assertEquals(useOfCounts(counts), { used, perplexity });
  },
);

withImages(
  "report: a stop is heard among the codes, and no page is written",
  async (tokenizer, files, folder) => {
    const [stop, { vae, quantizer }] = [new AbortController(), tokenizer];
    const { decode } = vae;
    const keys = quantizer.keys.bind(quantizer);
    let sheets = 0;
    vae.decode = (latent) => {
      if (latent.shape[0] > 1) sheets++; // images are decoded one by one
      return decode.call(vae, latent);
    };
    const onMeasured = () => {
      quantizer.keys = () => {
        stop.abort();
        return keys();
      };
    };
    const options = optionsOf(folder, { signal: stop.signal, onMeasured });
    const { stopped } = await evaluate(tokenizer, files.slice(0, 2), options);
    assertEquals([stopped, stop.signal.aborted, sheets], [true, true, 0]);
    assert(![...Deno.readDirSync(folder)].some(({ name }) => name.startsWith("report")));
  },
);

withImages(
  "report: each image's figures, tokens and nearest codes",
  async (tokenizer, files, folder) => {
    await evaluate(tokenizer, files, optionsOf(folder));
    const page = await Deno.readTextFile(join(folder, "report.html"));
    const { images, counts, neighbours, swatches } = dataOf(page);
    assertEquals(
      images.map(({ name }) => name).sort(),
      files.map((file) => file.slice(folder.length + 1)).sort(),
    );
    assertEquals(images.map(({ group }) => group[0]).join(""), "wwwwbbbbbb");
    const sums = counts.map(() => 0);
    for (const { name, tokens, grids } of images) {
      const file = join(folder, name);
      const encoded = await tokenizer.encode(await loadImage(file));
      assertEquals(tokens, encoded.indices.map((codes) => [...codes]));
      assertEquals(grids, encoded.grids.map(({ height, width }) => [height, width]));
      tokens.flat().forEach((code) => sums[code]++);
      const { report: _, ...options } = optionsOf(folder);
      const { discrete, continuous } = await evaluate(tokenizer, [file], options);
      assertMatch(
        page,
        new RegExp(
          `<strong>${discrete.psnr!.toFixed(2)} dB</strong> from tokens,\\s+SSIM ${
            discrete.ssim.toFixed(4)
          }` +
            `<br>\\s+${continuous.psnr!.toFixed(2)} dB continuous,\\s+SSIM ${
              continuous.ssim.toFixed(4)
            }`,
        ),
      );
    }
    assertEquals(counts, sums);
    const used = counts.flatMap((n, code) => n > 0 ? [code] : []);
    assertEquals(Object.keys(neighbours).map(Number), used);
    for (const list of Object.values(neighbours)) assertEquals(list.length, 2 * 8);
    assertEquals(new Set(swatches.codes).size, swatches.codes.length);
    assert(used.every((code) => swatches.codes.includes(code)));
  },
);

withImages(
  "report: asks for nothing, and no name becomes a part of it",
  async (tokenizer, files, folder) => {
    await evaluate(tokenizer, files, optionsOf(folder));
    const page = await Deno.readTextFile(join(folder, "report.html"));
    assertEquals(
      page.match(/https?:|@import|<link (?!rel="icon" href="data:,">)|<iframe|<object/g),
      null,
    );
    for (const [, address] of page.matchAll(/\s(?:src|href|srcset)="([^"]*)"/g)) {
      assertMatch(address, /^(data:|#)/);
    }
    assert(!page.includes(HOSTILE) && !page.includes("<img src=x") && !page.includes(folder));
    assertStringIncludes(page, "&lt;img src=x onerror=alert(1)&gt;&amp;&quot;&#39;.png");
    // The policy allows the page's own style and script and nothing else.
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(page)![1].replaceAll(
      "&#39;",
      "'",
    );
    assertMatch(policy, /^default-src 'none'; img-src data:; style-src '\S+'; script-src '\S+'$/);
    for (const [, text] of page.matchAll(/<(?:style|script)>(.*?)<\/(?:style|script)>/gs)) {
      const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
      assertStringIncludes(policy, `'sha256-${new Uint8Array(hash).toBase64()}'`);
    }
    assertEquals(page.match(/<img /g)?.length, page.match(/<img [^>]*alt=/g)?.length);
    const ids = [...page.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id);
    assertEquals(new Set(ids).size, ids.length);
  },
);

withImages(
  "report: of one image, with a VAE of its own, by their names",
  async (tokenizer, files, folder) => {
    const textOf = async (name: string) => {
      const continuous = { name, vae: tokenizer.vae };
      await evaluate(tokenizer, files.slice(0, 1), optionsOf(folder, { continuous }));
      return await Deno.readTextFile(join(folder, "report.html"));
    };
    const page = await textOf(join(folder, "models", "vae.safetensors"));
    assertStringIncludes(page, "<dt>Continuous</dt><dd>vae.safetensors</dd>");
    assert(!page.includes(folder));
    const grids = (await gridTexts(tokenizer, files.slice(0, 1))).join(", ");
    assertStringIncludes(page, `<dt>Scales</dt><dd>3; tokens: ${grids}</dd>`);
    assertStringIncludes(page, "<title>coda eval: 1 image at original</title>");
    assertStringIncludes(page, "<h1>What 1 image looks like from its tokens</h1>");
    assertEquals(page.match(/>\s*(worst|best)\b/gi), null);
    assertStringIncludes(await textOf("hf:owner/name"), "<dd>hf:owner/name</dd>");
  },
);

withImages(
  "report: without the images that are gone by then, whose figures stay",
  async (tokenizer, files, folder) => {
    const found: EvaluationReport[] = [];
    const without = async (gone: readonly string[]) => {
      const onMeasured = (report: EvaluationReport) => {
        found.push(report);
        for (const file of gone) Deno.removeSync(file);
      };
      const report = await evaluate(tokenizer, files, optionsOf(folder, { onMeasured }));
      assertEquals(report, found.at(-1));
      assertEquals(report.images, files.length);
      return await Deno.readTextFile(join(folder, "report.html"));
    };
    const left = /Measured, but left out below, [^:]*: ([^<]*)\.<\/p>/;
    assert(!left.test(await without([])));
    const one = await without([files[5]]);
    assertEquals(left.exec(one)?.[1], "5.png");
    assertEquals(dataOf(one).images.length, 9);
    assert(!one.includes(folder));
    await saveImage(files[5], pattern(16, 12, 12));
    const none = await without(files);
    assertEquals(left.exec(none)?.[1].split(", ").length, 10);
    const ids = [...none.matchAll(/<section id="([^"]*)"/g)].map(([, id]) => id);
    assertEquals(ids, ["rate", "codebook"]);
    assertEquals(found[2], found[0]);
  },
);

withImages(
  "report: that cannot be written, after its figures were told",
  async (tokenizer, files, folder) => {
    const path = join(folder, "report.html");
    const found: EvaluationReport[] = [];
    const onMeasured = (report: EvaluationReport) => {
      found.push(report);
      Deno.mkdirSync(path);
    };
    const some = files.slice(0, 2);
    await assertRejects(
      () => evaluate(tokenizer, some, optionsOf(folder, { onMeasured, missing: 3 })),
      WriteError,
      "a folder of that name is in the way",
    );
    const { report: _, ...plain } = optionsOf(folder, { byScale: true });
    assertEquals(found, [{ ...await evaluate(tokenizer, some, plain), skipped: 3 }]);
  },
);

withImages("report: stopped and gone on with, the same bytes", async (tokenizer, files, folder) => {
  const path = join(folder, "report.html");
  await evaluate(tokenizer, files, optionsOf(folder));
  const whole = await Deno.readTextFile(path);
  await Deno.remove(path);
  const out = join(folder, "results");
  const stopAt = async (hook: (stop: () => void) => EvaluateOptions) => {
    const stop = new AbortController();
    const more = { out, signal: stop.signal, ...hook(() => stop.abort()) };
    const { stopped } = await evaluate(tokenizer, files, optionsOf(folder, more));
    assertEquals(stopped, true);
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assertEquals(names.filter((name) => name.includes("report")), []);
  };
  await stopAt((stop) => ({ onImage: (done) => done === 4 && stop() }));
  await stopAt((stop) => ({ onMeasured: stop }));
  await stopAt((stop) => ({ onReport: (done) => done === 2 && stop() }));
  const { stopped } = await evaluate(tokenizer, files, optionsOf(folder, { out }));
  assertEquals(stopped, false);
  assertEquals(await Deno.readTextFile(path), whole);
});

withImages(
  "report: what its folder and its file must be",
  async (tokenizer, files, folder, gpu) => {
    const out = join(folder, "results");
    const { report: _, ...plain } = optionsOf(folder, { out });
    await evaluate(tokenizer, files.slice(0, 1), plain);
    await assertRejects(
      () => evaluate(tokenizer, files, optionsOf(folder, { out })),
      RunError,
      "was begun with byScale false (a report needs true); name another folder",
    );
    await assertRejects(
      () => evaluate(tokenizer, files, optionsOf(folder, { report: folder })),
      WriteError,
      "a folder of that name is in the way",
    );
    // The continuous VAE is known by its weights, not by its name.
    const other = (seed: number) => {
      const vae = new AutoencoderKL(gpu, TINY_VAE);
      vae.parameters.initialize(new Random(seed));
      return vae;
    };
    using first = other(5);
    using same = other(5);
    using second = other(6);
    const beside = (name: string, vae: AutoencoderKL) =>
      evaluate(tokenizer, files.slice(0, 2), {
        ...plain,
        out: join(folder, "beside"),
        continuous: { name, vae },
      });
    const found = await beside("a", first);
    assertEquals(await beside("moved", same), { ...found, continuousVae: "moved" });
    await assertRejects(() => beside("a", second), RunError, "was begun with continuous");
  },
);

withImages("evaluate: stopped before the first image", async (tokenizer, files, folder) => {
  const { report: _, ...plain } = optionsOf(folder, { signal: AbortSignal.abort() });
  await assertRejects(() => evaluate(tokenizer, files, plain), DOMException, "aborted");
});
