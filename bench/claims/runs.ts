import { PATCH_SIZES_F16 } from "../../src/quantizer/mod.ts";
import type { AdaptOptions } from "../../src/train/mod.ts";

/** What every run has alike. */
export interface Sizes {
  /** N: joint steps of CODA; VQGAN takes six times as many. */
  readonly steps: number;
  /** Steps of a quantizer alone before them, where the VAE is there already. */
  readonly warmupSteps: number;
  /** Images in a joint step. */
  readonly batch: number;
  /** The side of crops, in training and in evaluation. */
  readonly imageSize: number;
  /** V. */
  readonly codebookSize: number;
  /** Decides everything random. */
  readonly seed: number;
}

/** The folders of photographs. */
export interface Folders {
  /** Those to train on. */
  readonly photos: string;
  /** Those that no run sees. */
  readonly heldout: string;
}

/** Which claims a run is for. */
export type Claim = "methods" | "levels";

/** A run that is trained and evaluated. */
export interface ClaimRun {
  /** Its folder, and what `--only` calls it. */
  readonly name: string;
  /** What tables call it. */
  readonly title: string;
  /** What is trained beside the quantizer. */
  readonly trains: string;
  /** The table that it belongs to. */
  readonly claim: Claim;
  /** Its run. */
  readonly options: AdaptOptions;
}

/** How much longer VQGAN trains (SPEC section 1: 300,000 iterations against 50,000). */
export const VQGAN_FACTOR = 6;

/** How many residual levels the quantizers of the last claim have. */
export const LEVELS = [1, 2, 4, 7, 10];

/** The runs of CODA's parts one by one, from direct VQ to the whole. */
export const PARTS: readonly string[] = ["nearest", "multiscale", "coda-frozen", "coda"];

/** How many held-out photographs are looked at on the way. */
export const LOOKED_AT = 33;
/** How often within the steps of CODA, and of VQGAN. */
const LOOKS = { coda: 3, vqgan: 12 };

/** The methods, and the quantizers by number of levels. */
export function runsOf(sizes: Sizes, folders: Folders): readonly ClaimRun[] {
  return [...methods(sizes, folders), ...levels(sizes, folders)];
}

/** From direct VQ to CODA, each adding one thing, and VQGAN. */
function methods(sizes: Sizes, folders: Folders): ClaimRun[] {
  const { steps } = sizes;
  const adapted = adaptedOptions(sizes, folders);
  const watched = { heldout: folders.heldout, evalImages: LOOKED_AT };
  const frozen = { trains: "nothing: the VAE is frozen", claim: "methods" } as const;
  const scratch = { trains: "encoder and decoder, from scratch", claim: "methods" } as const;
  return [
    {
      ...frozen,
      name: "nearest",
      title: "direct VQ",
      options: { ...adapted, rank: 0, quantizer: "nearest", patchSizes: [finest] },
    },
    {
      ...frozen,
      name: "multiscale",
      title: "+ residual (VAR's multi-scale VQ)",
      options: { ...adapted, rank: 0, quantizer: "multiscale" },
    },
    {
      ...frozen,
      name: "coda-frozen",
      title: "+ attention",
      options: { ...adapted, rank: 0, quantizer: "coda" },
    },
    {
      name: "coda",
      title: "+ LoRA: CODA",
      trains: "LoRA of rank 32 in the VAE",
      claim: "methods",
      options: { ...adapted, ...watched, quantizer: "coda", evalEvery: every(steps, LOOKS.coda) },
    },
    {
      ...scratch,
      name: "vqgan-short",
      title: "VQGAN, as many steps",
      options: { ...sharedOptions(sizes, folders), task: "vqgan" },
    },
    {
      ...scratch,
      name: "vqgan",
      title: `VQGAN, ${VQGAN_FACTOR} times as many`,
      options: {
        ...sharedOptions(sizes, folders),
        ...watched,
        task: "vqgan",
        steps: VQGAN_FACTOR * steps,
        evalEvery: every(VQGAN_FACTOR * steps, LOOKS.vqgan),
      },
    },
  ];
}

/** Quantizers alone, on cached latents: no joint steps. */
function levels(sizes: Sizes, folders: Folders): ClaimRun[] {
  const adapted = { ...adaptedOptions(sizes, folders), steps: 0, rank: 0 };
  const kinds = [
    { quantizer: "multiscale", title: "multi-scale VQ" },
    { quantizer: "coda", title: "CODA's attention" },
  ] as const;
  return kinds.flatMap(({ quantizer, title }) =>
    LEVELS.map((count) => ({
      name: `${quantizer}-${count}`,
      title,
      trains: "nothing: the quantizer alone, on cached latents",
      claim: "levels" as const,
      options: { ...adapted, quantizer, patchSizes: patchSizesOf(count) },
    }))
  );
}

function sharedOptions(sizes: Sizes, { photos }: Folders): AdaptOptions {
  const { steps, batch, imageSize, codebookSize, seed } = sizes;
  const saves = { saveEvery: 50, keep: 1, logEvery: 10, sampleEvery: 0 };
  return { images: [photos], steps, batch, imageSize, codebookSize, seed, ...saves };
}

function adaptedOptions(sizes: Sizes, folders: Folders): AdaptOptions {
  const warmup = { warmupLr: 1e-3, warmupBatch: 8, warmupCrops: 1 };
  const { warmupSteps } = sizes;
  return { ...sharedOptions(sizes, folders), ...warmup, warmupSteps, patchSizes: PATCH_SIZES_F16 };
}

function every(steps: number, looks: number): number {
  return Math.max(1, Math.round(steps / looks));
}

const finest = PATCH_SIZES_F16[PATCH_SIZES_F16.length - 1];

/** So many of the ten grids, evenly spread, the finest always among them. */
export function patchSizesOf(count: number): number[] {
  const last = PATCH_SIZES_F16.length - 1;
  if (count === 1) return [finest];
  return Array.from(
    { length: count },
    (_, i) => PATCH_SIZES_F16[Math.round(i * last / (count - 1))],
  );
}
