import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import type { TensorToStore } from "../../src/checkpoint/mod.ts";
import { loadImage, resizeShortSide, saveImage } from "../../src/data/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { Tokenizer } from "../../src/tokenizer.ts";
import { decodeTokens, readTokens, tokensFromJson, writeTokens } from "../../src/tokens/mod.ts";
import type { MemoryPlan } from "../../src/vae/mod.ts";
import { withFolder } from "../data/photos.ts";
import { gpuTest } from "../support/gpu.ts";
import { coda } from "./program.ts";
import { contents, pattern, writeImages, writeTokenizer } from "./tiny_tokenizer.ts";

/** Runs a test with a tokenizer's folder in a folder of its own. */
function withTokenizer(
  name: string,
  test: (path: string, model: string, gpu: Gpu) => Promise<void>,
) {
  gpuTest(name, (gpu) =>
    withFolder(async (path) => {
      const model = join(path, "model");
      await writeTokenizer(gpu, model);
      await test(path, model, gpu);
    }));
}

withTokenizer(
  "encode: a folder's images, batched or not, have the library's tokens",
  async (path, model, gpu) => {
    const images = join(path, "images");
    await writeImages(images, [[16, 12], [16, 12], [9, 7], [16, 12], [16, 12], [16, 12]]);
    using tokenizer = await Tokenizer.load(model, { gpu });
    for (const batch of ["1", "3"]) {
      const out = join(path, `out${batch}`);
      const run = await coda(["encode", images, "--model", model, "--out", out, "--batch", batch]);
      assertEquals({ code: run.code, stderr: run.stderr }, { code: 0, stderr: "" });
      assertMatch(
        run.stdout,
        /^6 images, \d+ to \d+ tokens each, [\d.]+ bits per pixel, [\d.]+ images\/s\n$/,
      );
      assertEquals(Object.keys(await contents(out)).length, 6);
      for (let i = 0; i < 6; i++) {
        const expected = await tokenizer.encode(await loadImage(join(images, `${i}.png`)));
        assertEquals(await readTokens(join(out, `${i}.coda`)), expected);
      }
    }
  },
);

gpuTest(
  "encode: by a model of damaged weights every image is a problem, and none a file",
  (gpu) =>
    withFolder(async (path) => {
      const [model, images, out] = ["model", "images", "out"].map((name) => join(path, name));
      const change = (tensors: TensorToStore[]) =>
        tensors.map((tensor) =>
          tensor.name === "vae.encoder.conv_out.bias"
            ? { ...tensor, data: new Float32Array(tensor.data.length).fill(NaN) }
            : tensor
        );
      await writeTokenizer(gpu, model, { change });
      await writeImages(images, [[16, 12], [16, 12]]);
      const run = await coda(["encode", images, "--model", model, "--out", out, "--quiet"]);
      assertEquals([run.code, run.stdout], [1, ""]);
      assertMatch(
        run.stderr,
        /^coda: .*0\.png: what the image is encoded to is not finite.* train it again\n.*1\.png: /,
      );
      assertStringIncludes(run.stderr, "coda: 2 of 2 files could not be encoded");
      assertEquals(await contents(out).catch(() => ({})), {});
    }),
);

withTokenizer(
  "encode --json: one document of every image's tokens, and no file",
  async (path, model, gpu) => {
    const images = join(path, "images");
    await writeImages(images, [[16, 12], [20, 10]]);
    const before = await contents(path);
    const args = ["encode", images, "--model", model, "--json", "--short-side", "8"];
    const { code, stdout, stderr } = await coda(args);
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    const documents: { file: string }[] = JSON.parse(stdout);
    assertEquals(documents.map(({ file }) => file), [join(images, "0.png"), join(images, "1.png")]);
    using tokenizer = await Tokenizer.load(model, { gpu });
    const small = resizeShortSide(await loadImage(join(images, "1.png")), 8);
    assertEquals(tokensFromJson(documents[1]), await tokenizer.encode(small));
    assertEquals(await contents(path), before);
  },
);

withTokenizer(
  "encode and decode --half: what the library has in half",
  async (path, model, gpu) => {
    const [photo, file] = [join(path, "0.png"), join(path, "0.coda")];
    await writeImages(path, [[16, 12]]);
    using tokenizer = await Tokenizer.load(model, { gpu, half: true });
    const tokens = await tokenizer.encode(await loadImage(photo));
    for (const args of [["encode", photo], ["decode", file]]) {
      const run = await coda([...args, "--model", model, "--out", path, "--half", "--quiet"]);
      assertEquals({ code: run.code, stderr: run.stderr }, { code: 0, stderr: "" });
    }
    assertEquals(await readTokens(file), tokens);
    assertEquals(await loadImage(photo), await tokenizer.decode(tokens));
  },
);

withTokenizer(
  "decode: the library's image, in every format, from a prefix too",
  async (path, model, gpu) => {
    using tokenizer = await Tokenizer.load(model, { gpu });
    const tokens = await tokenizer.encode(pattern(18, 11));
    const file = join(path, "a.coda");
    await writeTokens(file, tokens);
    for (
      const [flags, scales, type] of [
        [["--out", join(path, "x.png")], 3, "png"],
        [["--out", join(path, "x.png"), "--scales", "2"], 2, "png"],
        [["--out", path], 3, "png"],
      ] as const
    ) {
      const { code, stdout, stderr } = await coda(["decode", file, "--model", model, ...flags]);
      assertEquals({ code, stderr }, { code: 0, stderr: "" });
      assertMatch(stdout, /^1 image, [\d.]+ images\/s\n$/);
      const made = await loadImage(flags[1] === path ? join(path, `a.${type}`) : flags[1]);
      assertEquals(made, await tokenizer.decode(tokens, { scales }));
    }
    const jpeg = ["--out", path, "--format", "jpeg", "--quality", "70", "--quiet"];
    const run = await coda(["decode", file, "--model", model, ...jpeg]);
    assertEquals(run, { code: 0, stdout: "", stderr: "" });
    const expected = join(path, "expected.jpg");
    await saveImage(expected, await tokenizer.decode(tokens), { quality: 70 });
    assertEquals(await Deno.readFile(join(path, "a.jpg")), await Deno.readFile(expected));
  },
);

withTokenizer(
  "encode: bad images are reported, the others are done, the code is 1",
  async (path, model) => {
    const images = join(path, "images");
    await writeImages(images, [[16, 12], [1, 1], [16, 12]]);
    await Deno.writeTextFile(join(images, "text.jpg"), "no image");
    const whole = await Deno.readFile(join(images, "0.png"));
    await Deno.writeFile(join(images, "cut.png"), whole.subarray(0, whole.length / 2));
    const out = join(path, "out");
    const { code, stdout, stderr } = await coda(["encode", images, "--model", model, "--out", out]);
    assertEquals(code, 1);
    assertEquals(Object.keys(await contents(out)).sort(), ["0.coda", "2.coda"]);
    assertMatch(stdout, /^2 images, /);
    const lines = stderr.trim().split("\n");
    assertEquals(lines.length, 4, stderr);
    assertEquals(lines[3], "coda: 3 of 5 files could not be encoded");
    const lineOf = (name: string) =>
      lines.find((line) => line.includes(`${join(images, name)}: `)) ?? "";
    assertEquals(
      lineOf("1.png"),
      `coda: ${join(images, "1.png")}: an image of 1×1 is smaller than one token, 2×2 pixels: ` +
        "enlarge it, for example with --short-side 16",
    );
    assertMatch(lineOf("cut.png"), /: is cut short or damaged .*; fetch it again$/);
    assertMatch(lineOf("text.jpg"), /: is not an image .*; expected JPEG/);
  },
);

withTokenizer("encode: a path that is not there does not stop the others", async (path, model) => {
  const images = join(path, "images");
  await writeImages(images, [[16, 12]]);
  const out = join(path, "out");
  const missing = [join(path, "none.jpg"), path + "/away"];
  const args = ["--model", model, "--out", out];
  const run = await coda(["encode", missing[0], join(images, "0.png"), missing[1], ...args]);
  assertEquals([run.code, Object.keys(await contents(out))], [1, ["0.coda"]], run.stderr);
  assertMatch(run.stdout, /^1 image, /);
  const why = "there is no such file or folder; check the path";
  assertEquals(run.stderr.trim().split("\n"), [
    ...missing.map((file) => `coda: ${file}: ${why}`),
    "coda: 2 of 3 files could not be encoded",
  ]);
  const none = await coda(["encode", ...missing, ...args]);
  assertEquals([none.code, none.stdout], [1, ""]);
  assertEquals(none.stderr.trim().split("\n").at(-1), "coda: 2 of 2 files could not be encoded");
  const one = await coda(["encode", missing[0], ...args]);
  assertEquals(one, { code: 1, stdout: "", stderr: `coda: ${missing[0]}: ${why}\n` });
});

withTokenizer(
  "encode and decode --memory: the same tokens and image, and what they took",
  async (path, model, gpu) => {
    const image = pattern(66, 37);
    const input = join(path, "a.png");
    await saveImage(input, image);
    using tokenizer = await Tokenizer.load(model, { gpu });
    const tokens = await tokenizer.encode(image);
    const took = /, (whole|in bands), at most ([\d.]+) (KiB|MiB) of GPU memory\n$/;
    for (const [memory, how] of [["20MB", "whole"], ["0.5MiB", "in bands"]]) {
      const flags = ["--model", model, "--out", path, "--memory", memory];
      const encoded = await coda(["encode", input, ...flags]);
      assertEquals(encoded.stderr, "");
      assertEquals(took.exec(encoded.stdout)?.[1], how, encoded.stdout);
      assertEquals(await readTokens(join(path, "a.coda")), tokens);
      const decoded = await coda(["decode", join(path, "a.coda"), ...flags.with(3, path + "/out")]);
      assertEquals(decoded.stderr, "");
      assertEquals(took.exec(decoded.stdout)?.[1], how, decoded.stdout);
      assertEquals(await loadImage(join(path, "out", "a.png")), await tokenizer.decode(tokens));
      const json = await coda(["encode", input, "--model", model, "--json", "--memory", memory]);
      const [{ memory: found }]: { memory: MemoryPlan }[] = JSON.parse(json.stdout);
      assertEquals(found.path, how === "whole" ? "whole" : "bands");
      assert(found.bytes > 100_000 && found.bytes < 20_000_000, `${found.bytes}`);
    }
  },
);

withTokenizer(
  "encode: an image that exceeds the memory is told with what fits",
  async (path, model) => {
    const input = join(path, "a.png");
    await saveImage(input, pattern(220, 160));
    const flags = ["--model", model, "--out", join(path, "out"), "--memory", "800KB"];
    const { code, stdout, stderr } = await coda(["encode", input, ...flags]);
    assertEquals({ code, stdout }, { code: 1, stdout: "" });
    const [, side] =
      /an image of 220×160 is too large for this adapter: it needs \d+ KiB of GPU memory even in bands, \d+ KiB of that in use already, and 782 KiB may be taken: shrink it, for example with --short-side (\d+)\n$/
        .exec(stderr) ?? [];
    assert(Number(side) > 20 && Number(side) < 160, stderr);
    const fitting = await coda(["encode", input, ...flags, "--short-side", side]);
    assertEquals([fitting.code, fitting.stderr], [0, ""]);
  },
);

withTokenizer(
  "decode: files that are no good are reported, the others are done",
  async (path, model, gpu) => {
    using tokenizer = await Tokenizer.load(model, { gpu });
    const file = (name: string) => join(path, `${name}.coda`);
    const tokens = await tokenizer.encode(pattern(16, 12));
    await writeTokens(file("good"), tokens);
    await writeTokens(file("other"), { ...tokens, modelId: "ab".repeat(16) });
    const bytes = await Deno.readFile(file("good"));
    bytes[bytes.length - 9] ^= 4;
    await Deno.writeFile(file("flipped"), bytes);
    await Deno.writeFile(file("cut"), bytes.subarray(0, 50));
    await Deno.writeTextFile(file("text"), "text");
    const out = join(path, "out");
    const names = ["flipped", "other", "cut", "text", "none", "good"];
    const { code, stdout, stderr } = await coda([
      "decode",
      ...names.map(file),
      ...["--model", model, "--out", out],
    ]);
    assertEquals(code, 1);
    assertMatch(stdout, /^1 image, /);
    assertEquals(Object.keys(await contents(out)), ["good.png"]);
    const lines = stderr.trim().split("\n");
    assertEquals(lines.length, 6, stderr);
    names.slice(0, 5).forEach((name, i) =>
      assertEquals(lines[i].startsWith(`coda: ${file(name)}: `), true, lines[i])
    );
    assertMatch(lines[0], /bytes have changed; copy it again or make it again$/);
    assertMatch(lines[1], /decode it with the model that made it$/);
    assertMatch(lines[4], /there is no such file; check the path$/);
    assertEquals(lines[5], "coda: 5 of 6 files could not be decoded");
  },
);

withTokenizer(
  "decode: more scales than the tokens hold is one line, and nothing is written",
  async (path, model, gpu) => {
    using tokenizer = await Tokenizer.load(model, { gpu });
    const file = join(path, "a.coda");
    await writeTokens(file, await tokenizer.encode(pattern(16, 12)));
    const out = join(path, "out");
    const args = ["decode", file, "--model", model, "--out", out, "--scales", "4"];
    assertEquals(await coda(args), {
      code: 1,
      stdout: "",
      stderr: `coda: ${file}: decode: 4 scales of tokens that hold 1 to 3\n`,
    });
    assertEquals(await contents(out), {});
  },
);

Deno.test("encode and decode: an output folder that cannot be written ends them before any work", async () => {
  await withFolder(async (path) => {
    await writeImages(path, [[16, 12]]);
    const file = join(path, "0.png");
    const out = join(file, "out");
    for (const args of [["encode", file, "--out", out], ["decode", "a.coda", "--out", out]]) {
      assertEquals(await coda(args), {
        code: 1,
        stdout: "",
        stderr: `coda: cannot write ${out}: ${out} is not a folder; choose another path\n`,
      });
    }
  });
});

Deno.test("encode and decode: wrong command lines end with 2", async () => {
  for (
    const [args, message] of [
      [["encode"], "encode needs at least one IMAGE|FOLDER"],
      [["encode", "a.jpg", "--json", "--out", "b"], "--json prints to stdout: leave out --out"],
      [["decode", "a.coda", "--out", "b.png", "--format", "webp"], "--out b.png is no webp"],
      [["decode", "a.coda", "--quality", "50"], "--quality is for JPEG and WebP"],
      [["encode", "a.jpg", "--memory", "2"], "--memory takes a size such as 2GB or 512MiB"],
      [["decode", "a.coda", "--scales", "0"], "--scales takes a whole number of 1 or more"],
    ] as const
  ) {
    const { code, stdout, stderr } = await coda(args);
    assertEquals({ code, stdout }, { code: 2, stdout: "" });
    assertStringIncludes(stderr, `coda: ${message}`);
  }
});

Deno.test("encode: an image that is not there is one line", async () => {
  assertEquals(await coda(["encode", "/no/such.jpg"]), {
    code: 1,
    stdout: "",
    stderr: "coda: /no/such.jpg: there is no such file or folder; check the path\n",
  });
});

gpuTest(
  "encode: a written token file is read by the library whatever its image's size",
  (gpu) =>
    withFolder(async (path) => {
      const model = join(path, "model");
      await writeTokenizer(gpu, model);
      await writeImages(path, [[13, 29]]);
      const out = join(path, "one.coda");
      const run = await coda(["encode", join(path, "0.png"), "-m", model, "-o", out, "-q"]);
      assertEquals(run, { code: 0, stdout: "", stderr: "" });
      const tokens = decodeTokens(await Deno.readFile(out));
      assertEquals([tokens.width, tokens.height, tokens.decoded], [13, 29, {
        width: 14,
        height: 30,
      }]);
    }),
);
