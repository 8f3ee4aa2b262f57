import type { AdaptOptions } from "../../src/train/mod.ts";

/** What every run has alike. */
export interface Sizes {
  /** Joint steps. */
  readonly steps: number;
  /** Steps of a quantizer alone before them, where the VAE is there already. */
  readonly warmupSteps: number;
  /** Images in a joint step. */
  readonly batch: number;
  /** The side of crops, in training and in evaluation. */
  readonly imageSize: number;
  /** V. */
  readonly codebookSize: number;
  /** The photographs to train on. */
  readonly photos: string;
  /** Decides everything random. */
  readonly seed: number;
}

/** A row of the table. */
export interface QuantizerRun {
  /** Its folder, and what `--only` calls it. */
  readonly name: string;
  /** What the table calls it. */
  readonly title: string;
  /** What is trained beside the quantizer. */
  readonly trains: string;
  /** Its run. */
  readonly options: AdaptOptions;
}

/** The quantizers on the same frozen VAE, CODA with its adapters, and VQGAN. */
export function runsOf(
  { photos, warmupSteps, ...sizes }: Sizes,
): readonly QuantizerRun[] {
  const shared = { ...sizes, images: [photos], saveEvery: 50, keep: 1, logEvery: 10 };
  const adapted = { ...shared, warmupSteps, warmupLr: 1e-3, warmupBatch: 8, warmupCrops: 1 };
  const frozen = { ...adapted, rank: 0 };
  const nothing = "nothing: the VAE is frozen";
  return [
    {
      name: "coda",
      title: "CODA's attention, multi-scale",
      trains: nothing,
      options: { ...frozen, quantizer: "coda" },
    },
    {
      name: "nearest",
      title: "direct VQ",
      trains: nothing,
      options: { ...frozen, quantizer: "nearest" },
    },
    {
      name: "multiscale",
      title: "multi-scale VQ (VAR's)",
      trains: nothing,
      options: { ...frozen, quantizer: "multiscale" },
    },
    {
      name: "vqgan",
      title: "VQGAN",
      trains: "encoder and decoder, from scratch",
      options: { ...shared, task: "vqgan" },
    },
    {
      name: "coda-lora",
      title: "CODA's attention, multi-scale",
      trains: "LoRA of rank 32 in the VAE",
      options: { ...adapted, quantizer: "coda" },
    },
  ];
}
