/**
 * Writes a run's tokenizer as it ships, LoRA fused and in half precision, and measures it:
 *
 *     deno run -A models/export.ts RUN models/tiny-coda-f8 TRAIN_PHOTOS HELDOUT_PHOTOS
 *
 * Prints, for each folder of photographs, PSNR at `center-256` (short side 256 by Lanczos, centre crop,
 * mean latent, 8 bits, mean over about a hundred images spread over the folder) of the continuous VAE
 * and of the tokens, and over all images the share of the codebook that is used, and its perplexity.
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

const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;

for (const folder of folders) {
  const [continuousPsnr, discretePsnr]: number[][] = [[], []];
  const indices: Uint32Array[] = [];
  const files = await findImages([folder]);
  const every = Math.ceil(files.length / 100);
  for (const [i, file] of files.entries()) {
    const image = centerCrop(resizeShortSide(await loadImage(file), 256), 256, 256);
    const tokens = await tokenizer.encode(image);
    indices.push(...tokens.indices);
    if (i % every > 0) continue;
    continuousPsnr.push(psnr(await reconstruct(image), image));
    discretePsnr.push(psnr(await tokenizer.decode(tokens), image));
  }
  console.log(`${folder}: ${files.length} photographs, PSNR over ${discretePsnr.length} of them`);
  console.log(`  continuous ${mean(continuousPsnr).toFixed(2)} dB`);
  console.log(`  discrete   ${mean(discretePsnr).toFixed(2)} dB`);
  console.log("  codebook  ", codebookUse(indices, tokenizer.quantizer.config.codebookSize));
}
console.log(`model ${tokenizer.modelId}`);
