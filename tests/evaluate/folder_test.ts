import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { EvaluationFolder, type EvaluationSettings } from "../../src/evaluate/folder.ts";
import { linesOf } from "../../src/evaluate/lines.ts";
import type { MeasuredImage } from "../../src/evaluate/measure.ts";
import { RunError } from "../../src/train/mod.ts";
import { withFolder } from "../data/photos.ts";

const SETTINGS: EvaluationSettings = {
  model: "m",
  half: false,
  codebookSize: 5,
  scaling: [1, 0],
  continuous: "c",
  protocol: "original",
  seed: 0,
  byScale: true,
  lpips: false,
  judges: {},
  networks: { colours: 2 },
};

function measured(file: string): MeasuredImage {
  const quality = { psnr: 20.5, ssim: 0.5 };
  return {
    file,
    width: 4,
    height: 3,
    continuous: { psnr: null, ssim: 1 },
    discrete: quality,
    prefixes: [quality],
    indices: [Uint32Array.of(4), Uint32Array.of(0, 1, 2, 3)],
    features: { colours: [1, 2, 3].map((x) => Float32Array.of(x, x / 3)) },
  };
}

/** What a folder of results holds of files; others can open it then. */
async function reopened(out: string, files: string[]): Promise<MeasuredImage[]> {
  using folder = await EvaluationFolder.open(out, SETTINGS);
  return await imagesOf(folder, files);
}

async function imagesOf(folder: EvaluationFolder, files: string[]): Promise<MeasuredImage[]> {
  return await Array.fromAsync(folder.images(files));
}

/** A folder of results of two files, and where its lines are. */
async function twoImages(path: string) {
  const files = ["a.png", "b\u00e9.png"].map((name) => join(path, name));
  for (const file of files) await Deno.writeTextFile(file, "an image");
  const out = join(path, "out");
  using folder = await EvaluationFolder.open(out, SETTINGS);
  assertEquals(await imagesOf(folder, files), []);
  for (const file of files) await folder.append(measured(file));
  return { files, out, lines: join(out, "images.jsonl") };
}

Deno.test("an evaluation's folder gives back what was measured of files that are as they were", () =>
  withFolder(async (path) => {
    const { files, out, lines } = await twoImages(path);
    using again = await EvaluationFolder.open(out, SETTINGS);
    assertEquals(await imagesOf(again, files), files.map(measured));
    assertEquals(await imagesOf(again, [files[1], "/nowhere.png"]), [measured(files[1])]);

    const { mtime } = await Deno.stat(files[0]);
    await Deno.writeTextFile(files[0], "another image");
    await Deno.utime(files[0], mtime!, mtime!);
    await Deno.utime(files[1], 1, 1);
    assertEquals(await imagesOf(again, files), []);
    for (const file of files) await again.append(measured(file));
    assertEquals(await imagesOf(again, files), files.map(measured));

    const text = await Deno.readTextFile(lines);
    await Deno.writeTextFile(lines, text.slice(0, -5)); // the last line was cut short
    assertEquals(await imagesOf(again, files), [measured(files[0])]);
    assertEquals((await Deno.readTextFile(lines)).split("\n").length, 4);
  }));

Deno.test("a damaged line is an error that names it", () =>
  withFolder(async (path) => {
    const { files, out, lines } = await twoImages(path);
    const text = await Deno.readTextFile(lines);
    const [first, second] = text.trimEnd().split("\n");
    const codes = '"codes":"'; // 3 bits each, in 2 bytes
    for (
      const [damage, problem] of [
        [() => second.slice(0, 20), "JSON"],
        [() => "null", "is no object"],
        [() => second.replace('"ssim":0.5', '"ssim":null'), "lacks a measure"],
        [() => second.replace('"psnr":20.5,', ""), "lacks a measure"],
        [() => second.replace('"file":', '"name":'), "names no file"],
        [() => second.replace('"width":4', '"width":0'), "has no width"],
        [() => second.replace('"mtime":', '"time":'), "size and time"],
        [() => second.replace('"counts":[1,4]', '"counts":[1,"4"]'), "has no counts"],
        [() => second.replace('"counts":[1,4]', '"counts":[1,9]'), "2 bytes of codes, expected 4"],
        [() => second.replace('"counts":[1,4]', '"counts":[5]'), "prefixes"],
        [() => second.replace(new RegExp(`${codes}..`), `${codes}//`), "beyond the codebook's 5"],
        [() => second.replace('"colours":"', '"colours":"AAAA'), "bytes of features of colours"],
      ] as const
    ) {
      await Deno.writeTextFile(lines, [first, damage(), first, ""].join("\n"));
      const error = await assertRejects(() => reopened(out, files), RunError, problem);
      assertEquals(error.message.startsWith(`${lines}: line 2 is damaged (`), true, error.message);
    }
  }));

Deno.test("a folder that is no evaluation's is left as it is", () =>
  withFolder(async (path) => {
    const open = () => EvaluationFolder.open(path, SETTINGS);
    const lines = join(path, "images.jsonl");
    await Deno.writeTextFile(lines, "mine");
    await assertRejects(open, RunError, "is no evaluation's folder");
    assertEquals(await Deno.readTextFile(lines), "mine");
    for (
      const [text, problem] of [
        ['{"colour":1}', "that is no evaluation's"],
        ["{", "that is damaged"],
        ["null", "that is no evaluation's"],
      ] as const
    ) {
      await Deno.writeTextFile(join(path, "settings.json"), text);
      await assertRejects(open, RunError, problem);
    }
  }));

Deno.test("an evaluation's folder is one evaluation's until that has ended, and has no trace then", () =>
  withFolder(async (path) => {
    const { files, out } = await twoImages(path);
    const names = async () => (await Array.fromAsync(Deno.readDir(out))).map(({ name }) => name);
    {
      using _ = await EvaluationFolder.open(out, SETTINGS);
      const other = { ...SETTINGS, seed: 1 }; // who writes it is said first
      await assertRejects(
        () => EvaluationFolder.open(out, other),
        RunError,
        `${out}: is being written by process ${Deno.pid}, since `,
      );
    }
    const other = { ...SETTINGS, seed: 1 };
    await assertRejects(() => EvaluationFolder.open(out, other), RunError, "seed 0");
    assertEquals((await names()).sort(), ["images.jsonl", "settings.json"]);
    assertEquals(await reopened(out, files), files.map(measured));
  }));

Deno.test("lines of a file end where they end in bytes, in whatever pieces it is read", () =>
  withFolder(async (path) => {
    const file = join(path, "lines");
    const texts = ["\u00e9".repeat(70_001), "", "x" + "\u{1f600}".repeat(40_000)];
    await Deno.writeTextFile(file, texts.map((text) => `${text}\n`).join("") + "cut sho");
    const lines = await Array.fromAsync(linesOf(file));
    assertEquals(lines.map(({ text }) => text), texts);
    assertEquals(lines.map(({ end }) => end), [140_003, 140_004, 300_006]);
    assertEquals(await Array.fromAsync(linesOf(join(path, "none"))), []);
  }));
