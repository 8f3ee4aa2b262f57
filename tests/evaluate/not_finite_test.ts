import { assertRejects } from "@std/assert";
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

/** A model whose images are no numbers. */
function broken(tensors: TensorToStore[]): TensorToStore[] {
  return tensors.map((tensor) =>
    tensor.name === "vae.decoder.conv_out.bias"
      ? { ...tensor, data: new Float32Array(3).fill(NaN) }
      : tensor
  );
}

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
