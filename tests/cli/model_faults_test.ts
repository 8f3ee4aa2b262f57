import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import type { TensorToStore } from "../../src/checkpoint/mod.ts";
import { withFolder } from "../data/photos.ts";
import { gpuTest } from "../support/gpu.ts";
import { coda } from "./program.ts";
import { contents, writeImages, writeTokenizer } from "./tiny_tokenizer.ts";

/** Encodes with a tokenizer whose files were spoilt: one line, code 1, and nothing written. */
function faultTest(
  name: string,
  spoil: (model: string) => Promise<void>,
  message: (model: string) => string,
  change?: (tensors: TensorToStore[]) => TensorToStore[],
): void {
  gpuTest(`encode: ${name}`, (gpu) =>
    withFolder(async (path) => {
      const model = join(path, "model");
      const out = join(path, "out");
      await writeTokenizer(gpu, model, { change });
      await spoil(model);
      await writeImages(path, [[16, 12]]);
      const run = await coda(["encode", join(path, "0.png"), "--model", model, "--out", out]);
      assertEquals({ code: run.code, stdout: run.stdout }, { code: 1, stdout: "" });
      assertStringIncludes(run.stderr, `coda: ${message(model)}`);
      assertEquals(run.stderr.trim().split("\n").length, 1, run.stderr);
      assertEquals(await contents(out), {});
    }));
}

/** Changes the header of a safetensors file without changing its length. */
async function editHeader(model: string, edit: (header: string) => string): Promise<void> {
  const path = join(model, "model.safetensors");
  const bytes = await Deno.readFile(path);
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = new TextDecoder().decode(bytes.subarray(8, 8 + length)).trimEnd();
  const edited = edit(header);
  assertEquals(edited !== header && edited.length <= length, true, "the header was not edited");
  bytes.set(new TextEncoder().encode(edited.padEnd(length)), 8);
  await Deno.writeFile(path, bytes);
}

const nothing = () => Promise.resolve();
const weights = (model: string) => join(model, "model.safetensors");

faultTest(
  "a safetensors file with overlapping tensors",
  (model) =>
    editHeader(model, (header) => {
      const offsets = [...header.matchAll(/"data_offsets":(\[\d+,\d+\])/g)].map(([, pair]) => pair);
      const [first, second] = offsets.map((pair): number[] => JSON.parse(pair));
      const moved = `[${second[0] - (first[1] - first[0])},${second[1] - (first[1] - first[0])}]`;
      return header.replace(offsets[1], moved);
    }),
  weights,
);

faultTest(
  "a safetensors file with an offset out of range",
  (model) =>
    editHeader(model, (header) => {
      const last = [...header.matchAll(/\[(\d+),(\d+)\]/g)]
        .map(([, begin, end]) => [Number(begin), Number(end)])
        .reduce((a, b) => (b[1] > a[1] ? b : a));
      return header.replace(`[${last.join(",")}]`, `[${last[0]},${last[1] + 8}]`);
    }),
  weights,
);

faultTest(
  "a safetensors file that is cut short",
  async (model) => await Deno.truncate(weights(model), 2000),
  weights,
);

faultTest(
  "a missing tensor is named",
  nothing,
  (model) => `${weights(model)}: tensor "quantizer.attn.to_q.bias"`,
  (tensors) => tensors.filter(({ name }) => name !== "quantizer.attn.to_q.bias"),
);

faultTest(
  "a tensor without which the VAE's shape is unknown is named",
  nothing,
  (model) => `${weights(model)}: tensor vae.encoder.conv_in.weight is missing`,
  (tensors) => tensors.filter(({ name }) => name !== "vae.encoder.conv_in.weight"),
);

faultTest(
  "a misshapen tensor is named",
  nothing,
  (model) => `${weights(model)}: tensor "quantizer.codebooks.weight"`,
  (tensors) =>
    tensors.map((tensor) =>
      tensor.name === "quantizer.codebooks.weight" ? { ...tensor, shape: [4, 16] } : tensor
    ),
);

faultTest(
  "a config.json of something else",
  (model) => Deno.writeTextFile(join(model, "config.json"), '{"vae":{},"quantizer":{}}'),
  (model) => `${join(model, "config.json")}: quantizer.codebook_size is missing`,
);

faultTest(
  "a config.json that is no JSON",
  (model) => Deno.writeTextFile(join(model, "config.json"), "{"),
  (model) => `${join(model, "config.json")}: is no JSON`,
);

faultTest(
  "a config.json that asks for more than there is memory",
  async (model) => {
    const file = join(model, "config.json");
    const config = JSON.parse(await Deno.readTextFile(file));
    config.quantizer.codebook_size = 2_000_000_000;
    await Deno.writeTextFile(file, JSON.stringify(config));
  },
  (model) => `${weights(model)}: tensor "quantizer.codebooks.weight" has shape [16, 4], expected`,
);

faultTest(
  "a config.json that is another VAE's",
  async (model) => {
    const file = join(model, "config.json");
    const config = JSON.parse(await Deno.readTextFile(file));
    config.vae.norm_num_groups = 3;
    await Deno.writeTextFile(file, JSON.stringify(config));
  },
  (model) => `${join(model, "config.json")}: "norm_num_groups" is 3, expected a divisor`,
);

faultTest(
  "a tokenizer without its config.json, whose weights do not say all",
  (model) => Deno.remove(join(model, "config.json")),
  (model) => `${weights(model)}: "norm_num_groups" is 32, expected a divisor`,
);

faultTest(
  "a folder without weights",
  (model) => Deno.remove(weights(model)),
  (model) => `${model}: holds no weight file (.safetensors, .pth, .pt, .ckpt, .bin); name the file`,
);

faultTest(
  "a folder that is not there",
  (model) => Deno.remove(model, { recursive: true }),
  (model) => `${model}: there is no such file or folder; check the path`,
);

faultTest(
  "an autoencoder alone",
  nothing,
  (model) =>
    `${model}: holds an autoencoder and no quantizer, so it is no tokenizer yet: coda adapt`,
  (tensors) => tensors.filter(({ name }) => name.startsWith("vae.")),
);

faultTest(
  "a tensor that no autoencoder has",
  nothing,
  (model) =>
    `${weights(model)}: tensor "vae.decoder.up.1.attn.0.q.weight" is in no autoencoder with`,
  (tensors) => [
    ...tensors,
    {
      name: "vae.decoder.up.1.attn.0.q.weight",
      shape: [8, 8, 1, 1],
      data: new Float32Array(64),
    },
  ],
);
