import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import {
  diffusers,
  loraTensors,
  named,
  quantizerTensors,
  SMALL_FLUX,
  vaeTensors,
  writeFiles,
} from "../checkpoint/weights.ts";
import { tokensToJson, writeTokens } from "../../src/tokens/mod.ts";
import { withFolder } from "../data/photos.ts";
import { MODEL_ID, sample } from "../tokens/sample.ts";
import { coda } from "./program.ts";

/** The lines of an inspection by their labels. */
function rows(stdout: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of stdout.trimEnd().split("\n")) {
    const label = line.slice(0, 12).trim();
    if (label !== "") found[label] = line.slice(12);
  }
  return found;
}

Deno.test("inspect: a tokenizer, in words and as JSON", async () => {
  await withFolder(async (folder) => {
    const vae = vaeTensors(SMALL_FLUX);
    const lora = loraTensors(SMALL_FLUX, { rank: 2, targets: ["conv1", "conv2"] });
    await writeFiles(folder, {
      "vae_ema.safetensors": named([...vae, ...lora], diffusers(4)),
      "quantizer_ema.safetensors": quantizerTensors(),
    });
    const { code, stdout, stderr } = await coda(["inspect", folder]);
    assertEquals([code, stderr], [0, ""]);
    const found = rows(stdout);
    assertEquals(found.Holds, "a tokenizer: an autoencoder and a quantizer");
    assertEquals(
      found.Family,
      "FLUX.1's build at 0.25 of its width " +
        "(Stable Diffusion 3 has the same shape; a guess: nothing in the file tells)",
    );
    assertEquals(found.Layout, "diffusers");
    assertEquals(
      found.Latent,
      "scale 0.3611, shift 0.1159, those of FLUX.1; --scale says otherwise",
    );
    assertStringIncludes(found.Adapters, "rank 2 on 48 convolutions, ");
    assertEquals([found.Missing, found.Extra, found.Usable], ["none", "none", "yes"]);
    assertStringIncludes(
      found.Quantizer,
      "16 codes of 16 channels, attention over 8, norm rms, grids 1 2",
    );
    const json = await coda(["inspect", folder, "--json", "--scale", "2"]);
    const { kind, vae: autoencoder, quantizer } = JSON.parse(json.stdout);
    assertEquals([kind, autoencoder.scale, autoencoder.scaledBy, quantizer.codebookSize], [
      "tokenizer",
      2,
      "option",
      16,
    ]);
  });
});

Deno.test("inspect: a file of another model says what it is nearest to and why it does not fit", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "clip.safetensors");
    const tensor = (name: string) => ({ name, shape: [2], data: new Float32Array(2) });
    await writeFiles(folder, {
      "clip.safetensors": [
        tensor("text_model.encoder.layers.0.self_attn.to_q.weight"),
        tensor("text_model.encoder.layers.0.layer_norm1.bias"),
      ],
    });
    const { code, stdout } = await coda(["inspect", path]);
    const found = rows(stdout);
    assertEquals(code, 0);
    assertEquals(found.Holds, "no model that coda uses; it looks like a CLIP text encoder");
    assertEquals(found.Nearest, "CODA's quantizer, 0 of whose 9 tensors it has");
    assertStringIncludes(found.Has, "2: text_model.encoder.layers.0.layer_norm1.bias, ");
    assertStringIncludes(found.Missing, "9: codebooks.weight, ");
    assertStringIncludes(found.Usable, "no: ");
    assertStringIncludes(found.Usable, "holds neither an autoencoder nor a quantizer");
  });
});

Deno.test("inspect: a token file, and whether it was made in half", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "a.coda");
    await writeTokens(file, sample(600));
    const { code, stdout, stderr } = await coda(["inspect", file]);
    assertEquals([code, stderr], [0, ""]);
    assertEquals(rows(stdout), {
      File: `${file}, tokens`,
      Image: "31×40",
      Model: MODEL_ID,
      Made: "in float32, or by a version that did not say",
      Tokens: "27 in 3 scales, 1×1 to 5×4",
      Codes: "600, 10 bits each",
    });
    await writeTokens(file, { ...sample(600), half: true });
    assertEquals(rows((await coda(["inspect", file])).stdout).Made, "in half (--half)");
    const json = await coda(["inspect", file, "--json"]);
    assertEquals(JSON.parse(json.stdout), { file, ...tokensToJson(sample(600)), half: true });
    await Deno.writeTextFile(file, "CODA, not tokens");
    assertEquals((await coda(["inspect", file])).code, 1);
  });
});

Deno.test("inspect: a name in a file moves no cursor", async () => {
  await withFolder(async (folder) => {
    const evil = { name: "\x1b[2J\r\nUsable      yes", shape: [1], data: new Float32Array(1) };
    await writeFiles(folder, { "x.safetensors": [evil] });
    const { stdout } = await coda(["inspect", join(folder, "x.safetensors")]);
    assertStringIncludes(stdout, "\\u001b[2J\\u000d\\u000aUsable      yes");
    assertStringIncludes(rows(stdout).Usable, "no: ");
  });
});

Deno.test("inspect: what cannot be read ends with 1, wrong usage with 2", async () => {
  const gone = await coda(["inspect", "/no/such"]);
  assertEquals([gone.code, gone.stdout], [1, ""]);
  assertEquals(gone.stderr, "coda: /no/such: there is no such file or folder; check the path\n");
  const none = await coda(["inspect"]);
  assertEquals([none.code, none.stderr.split("\n")[0]], [2, "coda: inspect needs FILE|FOLDER"]);
  const many = await coda(["inspect", "a", "b"]);
  assertEquals(many.code, 2);
});
