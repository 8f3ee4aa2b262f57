import { CheckpointError } from "./errors.ts";
import { KerasWeights } from "./keras_weights.ts";
import { npmFiles } from "./npm/package.ts";

const PACKAGE = {
  name: "idai-shapes-ceramics_resnet50@1.0.1",
  sha512:
    "a896d1097dc3b3e069ae5ab6babe650d8a50c96c97e1f39d5d8351bc1d90ad49657a6e8001db3ec276e63f4dac712e0a63a91029b916f22216bb4e432933d8d0",
  wanted: /^package\/model\/[\w.-]+$/,
  folder: "resnet50-1.0.1",
};

/**
 * ResNet-50's weights for ImageNet, Keras' own, out of an npm package of 94 MB (SPEC section 7): fetched
 * by npm the first time, then kept with the user's caches. The caller closes them when they are loaded.
 *
 * @param say Told before anything is fetched.
 * @throws {CheckpointError} where they cannot be fetched, or what is kept is damaged.
 *
 * @example
 * ```ts
 * import { Gpu, ResNet50, resnet50Weights } from "@coda/tokenizer";
 *
 * async function load(gpu: Gpu): Promise<ResNet50> {
 *   using weights = await resnet50Weights((text) => console.error(text));
 *   return await ResNet50.load(gpu, weights);
 * }
 * ```
 */
export async function resnet50Weights(say: (text: string) => void = () => {}): Promise<
  KerasWeights
> {
  try {
    const folder = await npmFiles(
      PACKAGE,
      () => say(`fetching ResNet-50: the npm package ${PACKAGE.name}, 94 MB`),
    );
    return await KerasWeights.open(folder);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new CheckpointError("ResNet-50", `could not be fetched (${error.message})`, {
      cause: error,
    });
  }
}
