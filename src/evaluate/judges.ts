import { resnet50Weights } from "../checkpoint/mod.ts";
import type { Gpu } from "../gpu/mod.ts";
import { type Lpips, ResNet50 } from "../losses/mod.ts";
import { InceptionV3 } from "../metrics/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import { loadLpips, openWeights } from "../train/load_lpips.ts";
import { weightsId } from "./weights_id.ts";

/** A network on whose features sets of images are compared. */
export interface FeatureNetwork extends Disposable {
  /** What it is called in names of distances and of files. */
  readonly name: string;
  /** What the Fréchet and the kernel distance on its features are called. */
  readonly distances: { readonly frechet: string; readonly kernel: string };
  /** How many features an image has. */
  readonly length: number;
  /** The features of images [N, H, W, 3] in [-1, 1]: [N, length]. */
  pooled(images: Tensor): Tensor;
}

/** The networks that judge reconstructions. */
export interface Judges extends Disposable {
  /** LPIPS, where its weights are at hand. */
  readonly lpips?: Pick<Lpips, "distances">;
  /** The ids of the networks whose weights are the user's, by name. */
  readonly ids?: Readonly<Record<string, string>>;
  /** Networks for distances of sets. */
  readonly networks: readonly FeatureNetwork[];
  /** A sentence for each measure that is off, and why. */
  readonly off: readonly string[];
}

/** Which networks are wanted, by their files. */
export interface JudgeOptions {
  /** VGG16's file, with `lpips`. */
  readonly vgg?: string;
  /** The file of LPIPS's own weights. */
  readonly lpips?: string;
  /** InceptionV3's file, `pt_inception-2015-12-05-6726825d.pth`. */
  readonly inception?: string;
  /** "resnet50" for distances on ResNet-50's features; its weights are fetched: 94 MB. */
  readonly features?: "resnet50";
}

/**
 * Loads the networks that judge reconstructions.
 *
 * @param say Told of what is fetched.
 * @throws {CheckpointError} where a file is missing, unsound or of another model.
 */
export async function loadJudges(
  gpu: Gpu,
  { vgg, lpips, inception, features }: JudgeOptions,
  say: (text: string) => void = () => {},
): Promise<Judges> {
  using loaded = new DisposableStack();
  const off: string[] = [];
  const ids: Record<string, string> = {};
  const perceptual = vgg !== undefined && lpips !== undefined
    ? loaded.use(await loadLpips(gpu, vgg, lpips))
    : undefined;
  if (perceptual) {
    ids.lpips = await weightsId(perceptual.parameters, perceptual.vgg.parameters);
  } else off.push("LPIPS: there are no weights for it (vgg and lpips)");
  const networks: FeatureNetwork[] = [];
  if (inception !== undefined) {
    const network = loaded.use(await inceptionFeatures(gpu, inception));
    networks.push(network);
    ids.inception = network.id;
  } else off.push("FID, KID: there are no weights of InceptionV3 (inception)");
  if (features === "resnet50") networks.push(loaded.use(await resnet50Features(gpu, say)));
  else {off.push(
      "resnet50-kid, resnet50-fd: not asked for, as ResNet-50 is fetched, 94 MB (features)",
    );}
  const kept = loaded.move();
  return { lpips: perceptual, ids, networks, off, [Symbol.dispose]: () => kept.dispose() };
}

async function resnet50Features(gpu: Gpu, say: (text: string) => void): Promise<FeatureNetwork> {
  using weights = await resnet50Weights(say);
  const network = await ResNet50.load(gpu, weights);
  return {
    name: "resnet50",
    distances: { frechet: "resnet50-fd", kernel: "resnet50-kid" },
    length: 2048,
    pooled: (images) => network.pooled(images),
    [Symbol.dispose]: () => network[Symbol.dispose](),
  };
}

async function inceptionFeatures(
  gpu: Gpu,
  path: string,
): Promise<FeatureNetwork & { readonly id: string }> {
  using weights = await openWeights(path);
  const network = await InceptionV3.load(gpu, weights);
  return {
    id: await weightsId(network.parameters),
    name: "inception",
    distances: { frechet: "fid", kernel: "kid" },
    length: network.length,
    pooled: (images) => network.pooled(images),
    [Symbol.dispose]: () => network[Symbol.dispose](),
  };
}
