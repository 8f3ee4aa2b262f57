/**
 * Writes a run's tokenizer as it ships, LoRA fused and in half precision, and measures it:
 *
 *     deno run -A models/export.ts RUN models/tiny-coda-f8 TRAIN_PHOTOS HELDOUT_PHOTOS
 *
 * Prints, for each folder of photographs, PSNR at `center-256` (short side 256 by Lanczos, centre crop,
 * mean latent, 8 bits, mean over images) of the continuous VAE, of the adapted VAE without its
 * quantizer, and of the tokens; the share of the codebook that is used, and its perplexity.
 *
 * @module
 */
import {
  centerCrop,
  codebookUse,
  findImages,
  floatToImage,
  Gpu,
  type Image,
  imageToFloat,
  loadImage,
  loadVae,
  psnr,
  resizeShortSide,
  Tokenizer,
} from "../mod.ts";
import { fromArray } from "../src/tensor/mod.ts";

const [run, out, ...folders] = Deno.args;
using gpu = await Gpu.create();
{
  using trained = await Tokenizer.load(run, { gpu });
  await trained.save(out, { dtype: "f16" });
}
using tokenizer = await Tokenizer.load(out, { gpu });
using continuous = await loadVae(gpu);

async function reconstruct({ width, height, ...image }: Image): Promise<Image> {
  const pending = (() => {
    using _scope = gpu.scope();
    const x = fromArray(gpu, imageToFloat({ width, height, ...image }), [1, height, width, 3]);
    return continuous.decode(continuous.encode(x).mean).readF32();
  })();
  return floatToImage(await pending, width, height);
}

for (const folder of folders) {
  const pairs: Record<string, number[]> = { continuous: [], adapted: [], discrete: [] };
  const indices: Uint32Array[] = [];
  for (const file of await findImages([folder])) {
    const image = centerCrop(resizeShortSide(await loadImage(file), 256), 256, 256);
    const tokens = await tokenizer.encode(image);
    indices.push(...tokens.indices);
    pairs.continuous.push(psnr(await reconstruct(image), image));
    pairs.adapted.push(psnr(await tokenizer.reconstruct(image), image));
    pairs.discrete.push(psnr(await tokenizer.decode(tokens), image));
  }
  console.log(folder, pairs.continuous.length, "photographs");
  for (const [name, values] of Object.entries(pairs)) {
    console.log(`  PSNR ${name}: ${(values.reduce((a, b) => a + b) / values.length).toFixed(2)} dB`);
  }
  console.log("  codebook", codebookUse(indices, tokenizer.quantizer.config.codebookSize));
}
