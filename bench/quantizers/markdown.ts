import type { TrainingProgress } from "../../src/train/mod.ts";
import { table } from "../report/markdown.ts";
import type { Setting } from "../report/result.ts";
import type { Evaluation, Quality } from "./evaluate.ts";
import type { Sizes } from "./runs.ts";

/** A row's result. */
export interface RunResult {
  /** What `--only` calls it. */
  readonly name: string;
  /** What the table calls it. */
  readonly title: string;
  /** What is trained beside the quantizer. */
  readonly trains: string;
  /** On the held-out photographs. */
  readonly heldOut: Evaluation;
  /** What the run told in its joint steps. */
  readonly training: readonly Pick<
    TrainingProgress,
    "step" | "losses" | "codebookUse" | "perplexity"
  >[];
}

/** All of bench/results/quantizers.json. */
export interface QuantizersResult {
  /** Where and how it was measured. */
  readonly setting: Setting;
  /** What every run has alike. */
  readonly sizes: Omit<Sizes, "photos">;
  /** How many photographs were trained on and held out. */
  readonly photographs: { readonly train: number; readonly heldOut: number };
  /** The frozen VAE itself on the held-out ones. */
  readonly continuous: Quality | undefined;
  /** The rows. */
  readonly runs: readonly RunResult[];
}

/** The result as bench/results/quantizers.md has it. */
export function markdownOf(result: QuantizersResult): string {
  const { setting, sizes, photographs: { train, heldOut }, continuous, runs } = result;
  const { steps, warmupSteps, batch, imageSize, codebookSize } = sizes;
  return `# The quantizers and VQGAN, on the same photographs for the same steps

\`${setting.command}\` on ${setting.adapter} (${setting.driver}; ${setting.machine}), commit
${setting.commit ?? "unknown"}, ${setting.date}.

${steps} joint steps of ${batch} crops of ${imageSize}² from ${train} photographs, V = ${codebookSize},
losses 0.2·L1 + L2 + L_q (+ 0.05·L_e where there is one), AdamW at 5e-4 falling to 0 as half a cosine,
seed ${sizes.seed}. Where the VAE is there already (the embedded tiny-kl-f8), its quantizer first trains
${warmupSteps} steps alone on cached latents, which VQGAN, whose latent is not there yet, cannot.
No perceptual and no adversarial loss. Evaluation: ${heldOut} held-out photographs by \`center-${imageSize}\`
(Lanczos to that short side, centre crop, mean latent, 8 bits).

${qualities(runs, continuous)}

So few steps show how much of a codebook is used from its start on, and what quantizing a latent that
is good already costs. They do not show what VQGAN, whose autoencoder starts from nothing, reaches in
the hundreds of thousands that it is trained for, nor which quantizer is ahead in the end.

## The codebook during the joint steps

Codes used, and perplexity, over the last 80 steps' tokens or as many as there were, by joint step.

${codebooks(runs)}
`;
}

function qualities(runs: readonly RunResult[], continuous: Quality | undefined): string {
  const qualityOf = ({ psnr, ssim }: Quality) => [`${psnr.toFixed(2)} dB`, ssim.toFixed(3)];
  const rows = runs.map(({ title, trains, heldOut }) => [
    title,
    trains,
    String(heldOut.tokens),
    ...qualityOf(heldOut),
    percent(heldOut.codebook.used),
    heldOut.codebook.perplexity.toFixed(1),
  ]);
  return table(
    ["quantizer", "trained beside it", "tokens", "PSNR", "SSIM", "codes used", "perplexity"],
    continuous
      ? [...rows, ["none: the continuous VAE", "–", "–", ...qualityOf(continuous), "–", "–"]]
      : rows,
  );
}

const MOMENTS = [
  { name: "first report", at: 0 },
  { name: "a quarter", at: 0.25 },
  { name: "half", at: 0.5 },
  { name: "the end", at: 1 },
];

function codebooks(runs: readonly RunResult[]): string {
  const useOf = (training: RunResult["training"]) =>
    MOMENTS.map(({ at }) => {
      const { codebookUse, perplexity } = training[Math.round(at * (training.length - 1))];
      return `${percent(codebookUse!)}, ${perplexity!.toFixed(1)}`;
    });
  return table(
    ["quantizer", "trained beside it", ...MOMENTS.map(({ name }) => name)],
    runs.map(({ title, trains, training }) => [title, trains, ...useOf(training)]),
  );
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
