import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { openTensors } from "../../src/checkpoint/mod.ts";
import {
  diffusers,
  ldm,
  loraTensors,
  named,
  quantizerTensors,
  SMALL_FLUX,
  vaeTensors,
  writeFiles,
} from "../checkpoint/weights.ts";
import { withFolder } from "../data/photos.ts";
import { gpuTest } from "../support/gpu.ts";
import { coda } from "./program.ts";
import { contents, writeImages } from "./tiny_tokenizer.ts";

Deno.test("convert: layout and dtype, in a line and as JSON", async () => {
  await withFolder(async (folder) => {
    const tensors = vaeTensors(SMALL_FLUX);
    const [input, file, out] = ["ae.safetensors", "out.safetensors", "vae"].map((name) =>
      join(folder, name)
    );
    const size = tensors.reduce((sum, { data }) => sum + data.length, 0);
    await writeFiles(folder, {
      "ae.safetensors": [
        ...named(tensors, ldm, "vae."),
        { name: "other", shape: [1], data: new Float32Array(1) },
      ],
    });
    const args = ["--layout", "diffusers", "--dtype", "bf16"];
    const run = await coda(["convert", input, file, ...args]);
    const guess =
      "coda: the latent's scale is taken to be FLUX.1's, whose shape another family has " +
      "too; --scale says otherwise\n";
    assertEquals({ code: run.code, stderr: run.stderr }, { code: 0, stderr: guess });
    const told = await coda(["convert", input, file, "--scale", "1.5305"]);
    assertEquals(told.stderr, "");
    assertEquals((await coda(["convert", input, file, ...args])).code, 0);
    assertEquals(
      run.stdout,
      `${file}: the autoencoder in diffusers layout, ${tensors.length} tensors, ` +
        `${size.toLocaleString("en-US")} parameters, 1 of other models left out\n`,
    );
    using written = await openTensors(file);
    const names = named(tensors, diffusers(4)).map(({ name }) => name);
    assertEquals([...written.names].sort(), names.sort());
    assertEquals(written.info(names[0]).dtype, "bf16");
    const { stdout } = await coda(["convert", input, out, "--json", "--layout", "ldm"]);
    assertEquals(JSON.parse(stdout), {
      kind: "autoencoder",
      file: join(out, "model.safetensors"),
      config: join(out, "config.json"),
      layout: "ldm",
      tensors: tensors.length,
      parameters: size,
      fused: 0,
      leftOut: 1,
      guessedFamily: "FLUX.1",
    });
    const quiet = await coda(["convert", input, file, "--quiet"]);
    assertEquals(quiet, { code: 0, stdout: "", stderr: "" });
  });
});

Deno.test("convert: what fails ends with 1 and leaves all as it was, wrong usage ends with 2", async () => {
  await withFolder(async (folder) => {
    await writeFiles(folder, { "in.safetensors": quantizerTensors() });
    const input = join(folder, "in.safetensors");
    const before = await contents(folder);
    const refuse = async (code: number, message: string, ...args: string[]) => {
      const run = await coda(["convert", ...args]);
      assertEquals({ code: run.code, stdout: run.stdout }, { code, stdout: "" });
      assertStringIncludes(run.stderr, `coda: ${message}`);
      assertEquals(await contents(folder), before);
    };
    await refuse(1, `cannot write ${input}: it is the input`, input, input);
    await refuse(1, `cannot write ${folder}: it is not empty`, input, folder);
    await refuse(1, `${input}: holds no autoencoder whose layout`, input, "x", "--layout", "ldm");
    await refuse(2, "convert needs IN OUT", input);
    await refuse(2, "--dtype is one of f32, f16, bf16; found", input, "x", "--dtype", "f8");
  });
});

gpuTest("convert: an official tokenizer becomes a folder with the same tokens", async () => {
  await withFolder(async (folder) => {
    const vae = vaeTensors(SMALL_FLUX);
    const lora = loraTensors(SMALL_FLUX, { rank: 2, targets: ["conv1", "conv2"] });
    const at = (name: string) => join(folder, name);
    await writeFiles(at("official"), {
      "vae.safetensors": named([...vae, ...lora], diffusers(4)),
      "quantizer.safetensors": quantizerTensors(),
    });
    await writeImages(folder, [[32, 24]]);
    const tokens = async (model: string) => {
      const run = await coda(["encode", at("0.png"), "--json", "--model", model]);
      assertEquals([run.code, run.stderr], [0, ""]);
      const [{ indices }] = JSON.parse(run.stdout);
      return indices;
    };
    const expected = await tokens(at("official"));
    for (const args of [["--layout", "diffusers"], ["--fuse-lora", "--layout", "ldm"]]) {
      const out = at(args[0]);
      assertEquals((await coda(["convert", at("official"), out, ...args])).code, 0);
      assertEquals(await tokens(out), expected, args.join(" "));
    }
  });
});
