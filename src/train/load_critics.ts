import { resnet50Weights } from "../checkpoint/mod.ts";
import type { Gpu } from "../gpu/mod.ts";
import {
  DinoDiscriminator,
  DinoVit,
  inferVitConfig,
  type Perceptual,
  ResNet50,
  ResnetPerceptual,
} from "../losses/mod.ts";
import { loadLpips, openWeights, shapeIn } from "./load_lpips.ts";
import type { ResolvedOptions } from "./options.ts";
import { discriminatorRandom } from "./streams.ts";
import type { Critics } from "./trained_model.ts";

/** The critics of a run, which it owns, and what it does without. */
export interface RunCritics extends Critics, Disposable {
  /** A sentence for each loss of the recipe that the run has not, and why. */
  readonly missing: readonly string[];
}

/**
 * Reads the networks that a run's options name: LPIPS's two files or ResNet-50 for how images look, DINO's
 * transformer for the discriminator, whose heads begin anew. A run of the warm-up alone has none.
 *
 * @param say Told of what is fetched.
 * @throws {CheckpointError} where a file is missing, unsound or of another model.
 */
export async function loadCritics(
  gpu: Gpu,
  options: ResolvedOptions,
  say: (text: string) => void = () => {},
): Promise<RunCritics> {
  if (options.steps === 0) return { missing: [], [Symbol.dispose]() {} };
  const perceptual = await loadPerceptual(gpu, options, say);
  try {
    const adversary = await loadDiscriminator(gpu, options);
    return {
      perceptual,
      discriminator: adversary?.discriminator,
      missing: missingTerms({ perceptual, discriminator: adversary?.discriminator }),
      [Symbol.dispose]() {
        perceptual?.[Symbol.dispose]();
        adversary?.discriminator[Symbol.dispose]();
        adversary?.vit[Symbol.dispose]();
      },
    };
  } catch (error) {
    perceptual?.[Symbol.dispose]();
    throw error;
  }
}

function missingTerms({ perceptual, discriminator }: Critics): string[] {
  const missing: string[] = [];
  if (!perceptual) {
    missing.push(
      "the perceptual loss is off: there are no weights for it (vgg and lpips, or perceptual)",
    );
  } else if (perceptual.name !== "lpips") {
    missing.push(`LPIPS is off: ${perceptual.name} is in its place`);
  }
  if (!discriminator) {
    missing.push("the adversarial loss is off: there are no weights for its transformer (dino)");
  }
  return missing;
}

async function loadPerceptual(
  gpu: Gpu,
  { vgg, lpips, perceptual }: ResolvedOptions,
  say: (text: string) => void,
): Promise<Perceptual | undefined> {
  if (perceptual === "resnet50") {
    using weights = await resnet50Weights(say);
    return new ResnetPerceptual(await ResNet50.load(gpu, weights));
  }
  if (vgg === undefined || lpips === undefined) return undefined;
  return await loadLpips(gpu, vgg, lpips);
}

async function loadDiscriminator(
  gpu: Gpu,
  { dino, seed }: ResolvedOptions,
): Promise<{ vit: DinoVit; discriminator: DinoDiscriminator } | undefined> {
  if (dino === undefined) return undefined;
  using weights = await openWeights(dino);
  const vit = await DinoVit.load(gpu, weights, shapeIn(weights, inferVitConfig));
  const discriminator = new DinoDiscriminator(vit);
  discriminator.initialize(discriminatorRandom(seed));
  return { vit, discriminator };
}
