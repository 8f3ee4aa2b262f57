import { injectLora } from "../../src/nn/mod.ts";
import { CodaQuantizer } from "../../src/quantizer/mod.ts";
import type { Tokenizer } from "../../src/tokenizer.ts";
import { resolveOptions } from "../../src/train/options.ts";
import { assignmentTrainingFlop, jointStepFlop, vaeFlop } from "../report/flop.ts";
import type { ClaimRun } from "./runs.ts";

/** What training costs, in floating point operations, a multiply-add being two. */
export interface Compute {
  /** The latents that a quantizer is trained on by itself. */
  readonly latents: number;
  /** All steps of the quantizer alone. */
  readonly warmup: number;
  /** How many those are. */
  readonly warmupSteps: number;
  /** A joint step. */
  readonly step: number;
}

/** The operations up to a step, counted from the first joint one. */
export function flopAt({ latents, warmup, warmupSteps, step }: Compute, at: number): number {
  return latents + (at < 0 ? warmup * (1 + at / warmupSteps) : warmup + at * step);
}

/**
 * The compute of CODA's run and of VQGAN's beside it, by the products of their convolutions, attentions
 * and codes.
 *
 * @param tokenizer What CODA's run has trained; its VAE gets adapters.
 * @param photographs How many latents are cached.
 */
export function computeOf(
  { vae, quantizer }: Tokenizer,
  { options }: ClaimRun,
  photographs: number,
): { coda: Compute; vqgan: Compute } {
  if (!(quantizer instanceof CodaQuantizer)) throw new TypeError("the run is not one of CODA's");
  const { warmupSteps, warmupBatch, batch, imageSize, rank, targets } = resolveOptions(options);
  const side = imageSize / vae.reduction;
  const { codebookSize, channels } = quantizer.config;
  const { encode, decode } = vaeFlop(vae, imageSize);
  const search = 2 * side ** 2 * codebookSize * channels;
  using _adapters = injectLora(vae.convs, { rank, targets }).parameters;
  return {
    coda: {
      latents: photographs * encode,
      warmup: warmupSteps * warmupBatch * assignmentTrainingFlop(quantizer, side),
      warmupSteps,
      step: batch * jointStepFlop(vae, quantizer, imageSize),
    },
    vqgan: {
      latents: 0,
      warmup: 0,
      warmupSteps: 0,
      step: batch * (3 * (encode + decode) + search),
    },
  };
}
