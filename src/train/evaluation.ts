import { codebookUse, psnr } from "../metrics/mod.ts";
import type { Adaptation } from "./adaptation.ts";
import type { HeldOut } from "./held_out.ts";
import { reconstruct } from "./reconstruct.ts";

/** How good the averages of a step are on images that training does not see. */
export interface Evaluation {
  /** The step. */
  readonly step: number;
  /** How the images were cut: `center-256` is the short side to 256 by Lanczos and the centre. */
  readonly protocol: string;
  /** How many images there were. */
  readonly images: number;
  /** The mean of their PSNR in decibels, from the mean latent and in 8 bits. */
  readonly psnr: number;
  /** The share of the codebook that they used, 0 to 1; only with a quantizer. */
  readonly codebookUse?: number;
  /** The perplexity of their codes; only with a quantizer. */
  readonly perplexity?: number;
}

/** How a run evaluates. */
export interface EvaluateOptions {
  /** Images at a time. */
  readonly batch: number;
  /** Ends it between images. */
  readonly signal?: AbortSignal;
}

/**
 * Evaluates the averages of an adaptation; undefined where the signal ended it early.
 *
 * @throws {ImageError} where no image can be used.
 */
export async function evaluate(
  adaptation: Adaptation,
  heldOut: HeldOut,
  { batch, signal }: EvaluateOptions,
): Promise<Evaluation | undefined> {
  const codes: Uint32Array[] = [];
  let [sum, count] = [0, 0];
  for await (const images of heldOut.batches(batch, signal)) {
    const found = await reconstruct(adaptation, images);
    images.forEach((image, i) => sum += psnr(found.images[i], image));
    count += images.length;
    codes.push(...found.indices);
  }
  if (signal?.aborted) return undefined;
  if (count === 0) throw heldOut.unusable();
  const { quantizer } = adaptation.model;
  const use = quantizer && codebookUse(codes, quantizer.config.codebookSize);
  return {
    step: adaptation.step,
    protocol: `center-${heldOut.size}`,
    images: count,
    psnr: sum / count,
    ...use && { codebookUse: use.used, perplexity: use.perplexity },
  };
}
