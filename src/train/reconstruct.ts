import { floatToImage, type Image, imageToFloat } from "../data/mod.ts";
import { fromArray, noGrad, type Tensor } from "../tensor/mod.ts";
import type { Adaptation } from "./adaptation.ts";
import { standingIn } from "./stand_in.ts";
import type { TrainedModel } from "./trained_model.ts";

/** Images after a model, with the codes of each scale; none without a quantizer. */
export interface Reconstructed {
  /** In the order of the originals. */
  readonly images: readonly Image[];
  /** The codes that were chosen, scale by scale. */
  readonly indices: readonly Uint32Array[];
}

/** Images of one size through what is trained, with its averages: from the mean latent, in 8 bits. */
export async function reconstruct(
  { model, quantizer, autoencoder }: Adaptation,
  images: readonly Image[],
): Promise<Reconstructed> {
  const sets = [quantizer, autoencoder].filter((set) => set !== undefined);
  const averages = sets.map(({ parameters, ema }) => ({ parameters, values: ema.average }));
  return await standingIn(averages, async () => await through(model, images, true));
}

/** Images of one size through the autoencoder as it was before adapters, its latent undiscretized. */
export async function continuous(
  { model, autoencoder }: Adaptation,
  images: readonly Image[],
): Promise<readonly Image[]> {
  const trained = autoencoder ? [autoencoder] : [];
  const standIns = trained.map(({ parameters, ema }) =>
    model.lora ? { parameters } : { parameters, values: ema.average }
  );
  return await standingIn(standIns, async () => (await through(model, images, false)).images);
}

async function through(
  { vae, quantizer }: TrainedModel,
  images: readonly Image[],
  isDiscrete: boolean,
): Promise<Reconstructed> {
  const { gpu } = vae.parameters;
  const [{ width, height }] = images;
  const record = (): [Promise<Float32Array>, Promise<Uint32Array>[]] => {
    using _scope = gpu.scope();
    const { mean } = vae.encode(batchOf(gpu, images));
    const quantized = isDiscrete ? quantizer?.forward(vae.scaleLatent(mean)) : undefined;
    const found = vae.decode(quantized ? vae.unscaleLatent(quantized.fHat) : mean);
    return [found.readF32(), (quantized?.indices ?? []).map((index) => index.readU32())];
  };
  const [pixels, codes] = noGrad(record);
  const values = await pixels;
  const size = width * height * 3;
  return {
    images: images.map((_, i) => {
      return floatToImage(values.subarray(i * size, (i + 1) * size), width, height);
    }),
    indices: await Promise.all(codes),
  };
}

function batchOf(gpu: Tensor["gpu"], images: readonly Image[]): Tensor {
  const [{ width, height }] = images;
  const size = width * height * 3;
  const values = new Float32Array(images.length * size);
  images.forEach((image, i) => imageToFloat(image, values.subarray(i * size, (i + 1) * size)));
  return fromArray(gpu, values, [images.length, height, width, 3]);
}
