import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { evaluate, type EvaluationReport } from "../../src/evaluate/mod.ts";
import { Tokenizer } from "../../src/tokenizer.ts";
import { withFolder } from "../data/photos.ts";
import { gpuTest } from "../support/gpu.ts";
import { coda, runFile } from "./program.ts";
import { writeImages, writeTokenizer } from "./tiny_tokenizer.ts";

gpuTest(
  "eval: the library's report, as text and as JSON, and thresholds",
  (gpu) =>
    withFolder(async (path) => {
      const [model, images] = [join(path, "model"), join(path, "images")];
      await writeTokenizer(gpu, model);
      await writeImages(images, [[16, 12], [13, 17]]);
      using tokenizer = await Tokenizer.load(model, { gpu });
      const files = [0, 1].map((i) => join(images, `${i}.png`));
      const expected = await evaluate(tokenizer, files, { protocol: "original" });
      const args = ["eval", images, "--model", model, "--protocol", "original", "-q"];

      const none = join(path, "none.png");
      const kept = ["--min-psnr", "1", "--out", join(path, "out")];
      const json = await coda([...args, none, "--json", ...kept]);
      assertEquals(json.code, 1);
      const problem = /^coda: .*none\.png: .*\ncoda: 1 of 3 files could not be measured\n$/;
      assertMatch(json.stderr, problem);
      const found: EvaluationReport = JSON.parse(json.stdout);
      assertEquals(found.off.map((text) => text.split(":")[0]), [
        "LPIPS",
        "FID, KID",
        "resnet50-kid, resnet50-fd",
      ]);
      const named = { continuousVae: "", off: [], skipped: 1 };
      assertEquals({ ...found, continuousVae: "", off: [] }, { ...expected, ...named });

      await Deno.writeTextFile(join(images, "bad.jpg"), "no image");
      const limits = ["--min-psnr", "99", "--min-ssim=-1", "--min-codebook", "1"];
      const page = join(path, "new", "report.html");
      const text = await coda([...args, none, "--report", page, ...limits]); // as with --by-scale
      assertEquals(text.code, 1);
      const shown = await Deno.readTextFile(page);
      assertStringIncludes(shown, `<dd>2 images; 2 could not be measured</dd>`);
      assertStringIncludes(shown, `<strong>${expected.discrete.psnr!.toFixed(2)} dB</strong>`);
      assertStringIncludes(
        text.stdout,
        "2 images at original: images as they are; mean latent; 8 bits",
      );
      const { continuous, discrete, codebook } = expected;
      const psnr = `PSNR +${continuous.psnr!.toFixed(2)} dB +${discrete.psnr!.toFixed(2)} dB`;
      assertMatch(text.stdout, new RegExp(psnr));
      const used = `scale 3 +${(100 * codebook.scales[2].used).toFixed(1)} %`;
      assertMatch(text.stdout, new RegExp(used));
      assertMatch(text.stdout, new RegExp(`3 scales +[\\d.]+ +${discrete.psnr!.toFixed(2)} dB`));
      const lines = text.stderr.trim().split("\n");
      assertEquals(lines.length, 5, text.stderr);
      assertMatch(lines[0], /none\.png: /);
      assertMatch(lines[1], /bad\.jpg: is not an image/);
      assertMatch(lines[2], /--min-psnr 99 is not reached: [\d.]+ at original$/);
      assertMatch(lines[3], /--min-codebook 1 is not reached: [\d.]+ at original$/);
      assertEquals(lines[4], "coda: 2 of 4 files could not be measured");
    }),
);

gpuTest(
  "eval: interrupted while it writes its page, it has printed what it measured",
  (gpu) =>
    withFolder(async (path) => {
      const [model, images] = [join(path, "model"), join(path, "images")];
      await writeTokenizer(gpu, model);
      await writeImages(images, [[16, 12], [13, 17]]);
      const page = join(path, "pages", "report.html");
      const args = ["eval", images, "--model", model, "--protocol", "original", "-q"];
      const ended = await runFile("tests/cli/coda_interrupted.ts", [...args, "--report", page]);
      assertEquals(ended.code, 130, ended.stderr);
      assertMatch(ended.stdout, /^2 images at original: [^]*bits per pixel\n/);
      const stopped = `coda: stopped before ${page} was written; what was measured stands above\n`;
      assertEquals(ended.stderr, stopped);
      assertEquals([...Deno.readDirSync(join(path, "pages"))], []);
    }),
);

Deno.test("eval refuses half of LPIPS, and what is no folder", async () => {
  const half = await coda(["eval", ".", "--vgg", "vgg16.pth"]);
  assertEquals(half.code, 2);
  assertStringIncludes(half.stderr, "LPIPS takes both --vgg and --lpips");
  const photo = await coda(["eval", ".", "--report", "photo.jpg"]);
  assertEquals(photo.code, 2);
  assertStringIncludes(
    photo.stderr,
    "--report photo.jpg is a page: name a file that ends in .html",
  );
  const none = await coda(["eval", "/nowhere"]);
  assertEquals(none.code, 1);
  assertStringIncludes(none.stderr, "there is no such file or folder");
  const both = await coda(["eval", "/nowhere", "missing.png", "--model", "/nowhere"]);
  assertEquals([both.code, both.stdout], [1, ""]);
  assertMatch(both.stderr, /^coda: \/nowhere: .*; missing\.png: [^\n]*\n$/);
  const seed = await coda(["eval", ".", "--seed", "1e16"]);
  assertEquals(seed.code, 2);
  assertStringIncludes(seed.stderr, "--seed");
});
