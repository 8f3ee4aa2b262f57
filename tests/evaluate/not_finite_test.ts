import { assert, assertRejects } from "@std/assert";
import { join } from "@std/path";
import type { TensorToStore } from "../../src/checkpoint/mod.ts";
import { loadImage } from "../../src/data/mod.ts";
import { evaluate, type Judges } from "../../src/evaluate/mod.ts";
import { affine, mean } from "../../src/ops/mod.ts";
import { Tokenizer } from "../../src/tokenizer.ts";
import { NotFiniteError } from "../../src/vae/mod.ts";
import { writeImages, writeTokenizer } from "../cli/tiny_tokenizer.ts";
import { withFolder } from "../data/photos.ts";
import { gpuTest } from "../support/gpu.ts";
import { TINY_VAE } from "../train/tiny.ts";

/** Makes a model of which the first value of one tensor is another. */
function withFirst(name: string, value: number) {
  return (tensors: TensorToStore[]): TensorToStore[] => {
    assert(tensors.some((tensor) => tensor.name === name), `there is no ${name}`);
    return tensors.map((tensor) => {
      if (tensor.name !== name) return tensor;
      const data = new Float32Array(tensor.data as Float32Array);
      data[0] = value;
      return { ...tensor, data };
    });
  };
}

/** A model whose images are no numbers. */
const broken = withFirst("vae.decoder.conv_out.bias", NaN);

gpuTest(
  "a model whose images are no numbers equals no original, but fails",
  (gpu) =>
    withFolder(async (folder) => {
      const vae = { ...TINY_VAE, midAttention: false };
      await writeTokenizer(gpu, join(folder, "model"), { vae, change: broken });
      await writeImages(folder, [[16, 12]]);
      const file = join(folder, "0.png");
      using tokenizer = await Tokenizer.load(join(folder, "model"), { gpu });
      for (const protocol of ["original", "coda-official"] as const) {
        const run = () => evaluate(tokenizer, [file], { protocol });
        await assertRejects(run, NotFiniteError, "the decoded image is not finite");
      }
      const tokens = await tokenizer.encode(await loadImage(file));
      await assertRejects(() => tokenizer.decode(tokens), NotFiniteError);
    }),
);

gpuTest(
  "a model whose latents are no numbers, or of damaged codes, gives no tokens",
  (gpu) =>
    withFolder(async (folder) => {
      await writeImages(folder, [[16, 12]]);
      const file = join(folder, "0.png");
      const image = await loadImage(file);
      const damages = [
        ["vae.encoder.conv_out.bias", NaN, "what the image is encoded to is not finite"],
        ["vae.encoder.conv_out.bias", Infinity, "what the image is encoded to is not finite"],
        ["quantizer.attn.to_q.weight", NaN, "the quantizer's attn.to_q.weight is not finite, 1 of"],
        ["quantizer.codebooks.weight", -Infinity, "the quantizer's codebooks.weight is not finite"],
      ] as const;
      for (const [name, value, text] of damages) {
        const model = join(folder, `${name} ${value}`);
        const vae = { ...TINY_VAE, midAttention: false };
        await writeTokenizer(gpu, model, { vae, change: withFirst(name, value) });
        using tokenizer = await Tokenizer.load(model, { gpu });
        for (const _again of [false, true]) {
          await assertRejects(() => tokenizer.encode(image), NotFiniteError, text);
        }
        await assertRejects(() => tokenizer.encodeWithMargins(image), NotFiniteError, text);
        if (value === Infinity) continue; // what follows is the same
        const batch = () => tokenizer.encodeBatch([image, image]);
        await assertRejects(batch, NotFiniteError, text.replace("the image", "image 1 of 2"));
        const official = () => evaluate(tokenizer, [file], { protocol: "coda-official" });
        await assertRejects(official, NotFiniteError, text);
      }
    }),
);

gpuTest(
  "a judge that says no number is an error, not a number left out",
  (gpu) =>
    withFolder(async (folder) => {
      await writeTokenizer(gpu, join(folder, "model"));
      await writeImages(folder, [[16, 12]]);
      using tokenizer = await Tokenizer.load(join(folder, "model"), { gpu });
      const judges: Judges = {
        networks: [{
          name: "none",
          distances: { frechet: "none-fd", kernel: "none-kid" },
          length: 3,
          pooled: (images) => affine(mean(images, { axes: [1, 2] }), NaN, 0),
          [Symbol.dispose]() {},
        }],
        off: [],
        [Symbol.dispose]() {},
      };
      const run = () =>
        evaluate(tokenizer, [join(folder, "0.png")], { protocol: "original", judges });
      await assertRejects(run, NotFiniteError, "what a network says");
    }),
);
