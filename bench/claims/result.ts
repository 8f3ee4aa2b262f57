import type { Setting } from "../report/result.ts";
import type { Compute } from "./compute.ts";
import type { Quality, TokenQuality } from "./quality.ts";
import type { ClaimRun, Sizes } from "./runs.ts";
import type { Verdict } from "./verdicts.ts";

/** How a run was doing at a step. */
export interface Moment {
  /** Joint steps done; negative while the quantizer is still trained alone. */
  readonly step: number;
  /** The share of codes used, 0 to 1. */
  readonly codebookUse: number;
  /** The perplexity of the codes. */
  readonly perplexity: number;
}

/** How a run did on held-out photographs on its way. */
export interface Look extends Moment {
  /** In decibels, on 8 bits, the mean over the photographs. */
  readonly psnr: number;
}

/** A run and what it came to. */
export interface RunResult extends Measured, Pick<ClaimRun, "name" | "title" | "trains" | "claim"> {
}

/** What was measured of a run. */
export interface Measured {
  /** The commit that trained it. */
  readonly commit: string | null;
  /** How many residual levels its quantizer has. */
  readonly levels: number;
  /** On all held-out photographs, at the end. */
  readonly heldOut: TokenQuality;
  /** Codes of the last 80 steps' crops, as its joint steps reported them. */
  readonly training: readonly Moment[];
  /** On some of the held-out photographs, on its way; empty where nobody looked. */
  readonly looks: readonly Look[];
}

/** All of bench/results/claims.json. */
export interface ClaimsResult {
  /** Where and how it was measured. */
  readonly setting: Setting;
  /** What every run has alike. */
  readonly sizes: Sizes;
  /** How many photographs were trained on, held out, and looked at on the way. */
  readonly photographs: {
    readonly train: number;
    readonly heldOut: number;
    readonly lookedAt: number;
  };
  /** The continuous VAE itself on the held-out ones. */
  readonly continuous: Quality;
  /** What steps of CODA and of VQGAN cost. */
  readonly compute: { readonly coda: Compute; readonly vqgan: Compute };
  /** The runs. */
  readonly runs: readonly RunResult[];
}

/** The same without VQGAN and the compute beside it, which more steps would take days: CODA's parts. */
export type PartsResult = Omit<ClaimsResult, "compute">;

/** Of each image: what standard errors are made of, and too much to publish. */
const OF_EACH_IMAGE = ["psnrs", "kidsWithout"];

/** A result as bench/results keeps it: with its verdicts, without what is of each image. */
export function publishedOf(result: PartsResult, verdicts: readonly Verdict[]): string {
  return JSON.stringify(
    { ...result, verdicts },
    (name, value) => OF_EACH_IMAGE.includes(name) ? undefined : value,
  ) + "\n";
}
